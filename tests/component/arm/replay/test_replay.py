"""What was recorded of the real service is asked again of this one, which answers the same.

``VMWRIGHT_RECORDINGS`` names another folder with such recordings (``*.json``) than that beside the project.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import pytest

from tests import parity
from tests.component.arm.replay import known
from tests.component.arm.replay.exchanges import conversations
from tests.component.arm.replay.known import Known
from tests.component.arm.replay.playing import Player, Result
from tests.conftest import SHARED
from tests.parity import Asked

GIVEN = os.environ.get("VMWRIGHT_RECORDINGS")
FOLDER = Path(GIVEN) if GIVEN else SHARED / "recordings"
LEAST_SHARE = 0.97


@pytest.mark.skipif(
    GIVEN is None and not any(FOLDER.glob("*.json")), reason="no recordings of the service beside the project"
)
async def test_recorded_requests_are_answered_as_they_were(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    recorded, listed, player = conversations(FOLDER), known.load(), Player(tmp_path)
    assert recorded, f"there are no recordings in {FOLDER}"
    results = [result for conversation in recorded for result in await player.play(conversation)]
    request.node.user_properties.append((parity.PROPERTY, matched(results)))
    share = sum(not result.differences for result in results) / len(results)
    with capsys.disabled():
        print(f"\n{share:.2%} of {len(results)} recorded answers match")
        for exchange in (one for conversation in recorded for one in conversation if not one.is_arms):
            print(f"of another host: {exchange}")
    assert not (unlisted := unlisted_differences(results, listed)), f"not listed:\n{unlisted}"
    # other recordings need not show all that is listed
    assert GIVEN or not (stale := entries_to_revise(results, listed)), f"not as listed: {stale}"
    assert share >= LEAST_SHARE


def matched(results: list[Result]) -> list[dict[str, str]]:
    """Return what was answered as it was recorded, for the page docs/parity.md."""
    asked = {
        Asked(
            f"{result.exchange.method} {parity.short(result.pattern)}",
            result.exchange.api_version,
            parity.RECORDED,
            "test_replay.py",
        )
        for result in results
        if result.pattern and not result.differences
    }
    return [asdict(one) for one in asked]


def unlisted_differences(results: list[Result], listed: tuple[Known, ...]) -> str:
    """Return the differences without a reason in the list, the most frequent first."""
    found = Counter(
        f"{result.exchange.kind} ({result.exchange.api_version}): {difference}\n    as in {result.exchange}"
        for result in results
        for difference in result.differences
        if not any(one.is_this(result.exchange, difference) for one in listed)
    )
    return "\n".join(f"{times} x {told}" for told, times in found.most_common())


def entries_to_revise(results: list[Result], listed: tuple[Known, ...]) -> list[Known]:
    """Return the entries of what does not differ any more, or differs here although it says otherwise."""
    found = {
        one
        for result in results
        for difference in result.differences
        for one in listed
        if one.is_this(result.exchange, difference)
    }
    return [one for one in listed if (one in found) is not one.in_open]
