"""What was recorded of the real service is asked again of this one, which answers the same.

``VMWRIGHT_RECORDINGS`` names another folder with such recordings (``*.json``) than that beside the project.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.component.arm.replay import known
from tests.component.arm.replay.exchanges import Exchange, conversations
from tests.component.arm.replay.known import Differences, Known
from tests.component.arm.replay.playing import Player, Result
from tests.conftest import SHARED

GIVEN = os.environ.get("VMWRIGHT_RECORDINGS")
FOLDER = Path(GIVEN) if GIVEN else SHARED / "recordings"
LEAST_SHARE = 0.97

pytestmark = pytest.mark.skipif(
    GIVEN is None and not any(FOLDER.glob("*.json")), reason="no recordings of the service beside the project"
)


@dataclass(frozen=True, slots=True)
class Played:
    """All that was recorded, played; ``not_ours`` went to hosts that this service is not."""

    results: tuple[Result, ...]
    not_yet: tuple[Result, ...]
    not_ours: tuple[Exchange, ...]

    @property
    def share(self) -> float:
        return sum(not result.differences for result in self.results) / len(self.results)

    def __str__(self) -> str:
        not_yet = Counter(result.exchange.kind for result in self.not_yet)
        lines = [
            f"{self.share:.2%} of {len(self.results)} recorded answers match",
            *(f"not there yet: {times} x {kind}" for kind, times in not_yet.most_common()),
            *(f"of another host: {exchange}" for exchange in self.not_ours),
        ]
        return "\n".join(lines)


@pytest.fixture(scope="module")
def listed() -> Differences:
    return known.load()


@pytest.fixture(scope="module")
def played(listed: Differences, tmp_path_factory: pytest.TempPathFactory) -> Played:
    recorded = conversations(FOLDER)
    assert recorded, f"there are no recordings in {FOLDER}"
    results = asyncio.run(_play(Player(tmp_path_factory.mktemp("replay")), recorded))
    not_yet = tuple(one for one in results if any(kind.has(one.exchange) for kind in listed.not_yet))
    return Played(
        results=tuple(one for one in results if one not in not_yet),
        not_yet=not_yet,
        not_ours=tuple(one for conversation in recorded for one in conversation if not one.is_arms),
    )


async def _play(player: Player, recorded: list[tuple[Exchange, ...]]) -> list[Result]:
    return [result for conversation in recorded for result in await player.play(conversation)]


def test_an_answer_that_differs_is_listed_with_its_reason(played: Played, listed: Differences) -> None:
    unlisted = Counter(
        f"{result.exchange.kind} ({result.exchange.api_version}): {difference}\n    as in {result.exchange}"
        for result in played.results
        for difference in result.differences
        if not any(one.is_this(result.exchange, difference) for one in listed.difference)
    )
    assert not unlisted, "\n".join(f"{times} x {told}" for told, times in unlisted.most_common())


@pytest.mark.skipif(GIVEN is not None, reason="other recordings need not show all that is listed")
def test_what_does_not_differ_any_more_is_taken_off_the_list(played: Played, listed: Differences) -> None:
    found = set(_found(played, listed))
    assert [one for one in listed.difference if (one in found) is not one.in_open] == []
    answered = {one.exchange.resource_type for one in played.not_yet if not one.differences}
    assert not answered, f"the service has {', '.join(sorted(answered))} by now"


def test_nearly_all_answers_are_as_recorded(played: Played, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        print(f"\n{played}")
    assert played.share >= LEAST_SHARE, str(played)


def _found(played: Played, listed: Differences) -> Iterator[Known]:
    for result in played.results:
        for difference in result.differences:
            yield from (one for one in listed.difference if one.is_this(result.exchange, difference))
