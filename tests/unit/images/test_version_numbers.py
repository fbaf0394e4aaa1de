from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import SHARED
from vmwright.errors import DistributeError
from vmwright.images.numbers import VersionNumber, after_latest, choose, of_source, of_time, parse
from vmwright.template.model import Versioning, VersioningScheme

MOST = 2**31 - 1
RECORDINGS = SHARED / "recordings" / "azure-cli-open.json"
EXISTING = ("0.1.1", "0.1.2", "1.0.0", "1.0.1", "1.1.0", "1.1.1", "1.2.0", "2.0.0", "2.0.1", "2.1.0")
DOCUMENTED = [parse(text) for text in EXISTING]
LATEST = Versioning(scheme=VersioningScheme.LATEST)
SOURCE = Versioning(scheme=VersioningScheme.SOURCE)
NOW = datetime(2026, 11, 22, 8, tzinfo=UTC)

parts = st.integers(0, MOST - 1000)
versions = st.builds(VersionNumber, parts, parts, parts)
takens = st.sets(st.one_of(versions, st.builds(VersionNumber, *[st.integers(0, 3)] * 3)))


@pytest.mark.parametrize(
    ("number", "at"),
    [
        ("0.23808.9050", "2019-06-11T21:55:38"),
        ("0.24105.52755", "2020-01-23T16:47:15"),
        ("0.24246.10241", "2020-05-09T03:48:17"),
        ("0.25617.22555", "2023-03-15T05:31:07"),
    ],
)
def test_the_number_of_a_time_is_the_services(number: str, at: str) -> None:
    time = datetime.fromisoformat(at).replace(tzinfo=UTC)
    assert str(of_time(time, set())) == number
    assert str(choose(None, api_version="2022-02-14", taken=set(), source_version="", at=time)) == number


@pytest.mark.skipif(not RECORDINGS.exists(), reason="no recordings of the service beside the project")
def test_every_recorded_number_is_of_a_time_shortly_before_it_was_published() -> None:
    found = {}
    for exchange in json.loads(RECORDINGS.read_text()):
        body = exchange["response_body"]
        if isinstance(body, dict) and body.get("type") == "Microsoft.Compute/galleries/images/versions":
            published = body["properties"].get("publishingProfile", {}).get("publishedDate")
            if published and body["name"].startswith("0."):
                found[body["name"]] = datetime.fromisoformat(re.sub(r"(\.\d{6})\d*", r"\1", published))
    assert found
    for name, published in found.items():
        number = parse(name)
        made = datetime.fromtimestamp((number.minor << 16) + number.patch, UTC)
        assert 0 <= (published - made).total_seconds() < 10
        assert of_time(made, set()) == number


@pytest.mark.parametrize(
    ("major", "follows"), [(None, "2.1.1"), (-1, "2.1.1"), (2, "2.1.1"), (1, "1.2.1"), (0, "0.1.3")]
)
def test_latest_as_documented(major: int | None, follows: str) -> None:
    assert str(after_latest(DOCUMENTED, major=major)) == follows


def test_the_first_number() -> None:
    for versioning in (None, LATEST):
        first = choose(versioning, api_version="2022-07-01", taken=[], source_version="9.9.9", at=NOW)
        assert str(first) == "1.0.0"
    assert str(after_latest(DOCUMENTED, major=7)) == "7.0.0"
    assert str(after_latest([], major=0)) == "0.0.0"


def test_the_scheme_that_a_template_names_wins_over_that_of_its_api_version() -> None:
    chosen = choose(LATEST, api_version="2020-02-14", taken=DOCUMENTED, source_version="", at=NOW)
    assert str(chosen) == "2.1.1"


def test_latest_goes_on_after_numbers_of_the_time() -> None:
    assert str(after_latest([parse("0.24155.58894")], major=None)) == "0.24155.58895"


def test_source_takes_the_sources_number_then_the_next_free_patch() -> None:
    def number(*taken: str) -> str:
        chosen = choose(
            SOURCE,
            api_version="2023-07-01",
            taken=[parse(text) for text in taken],
            source_version="18.04.202401161",
            at=NOW,
        )
        return str(chosen)

    assert number() == number("18.4.202401160", "99.0.0") == "18.4.202401161"
    assert number("18.4.202401161", "18.4.202401162") == "18.4.202401163"


@pytest.mark.parametrize("version", ["", "12", "1.2", "1.2.3.4", "22.04.20240115123", "rolling"])
def test_a_source_without_a_number_is_said(version: str) -> None:
    with pytest.raises(DistributeError, match="versioning scheme Source") as caught:
        of_source(version, [])
    assert "Latest" in str(caught.value.hint)


@pytest.mark.parametrize(
    "text", ["", "1", "1.0", "1.0.0.0", "v1.0.0", "1.-1.0", "1.0.2147483648", "1.0." + "9" * 10_000, "1.0.²"]
)
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(DistributeError, match=r"Major\(int\)\.Minor\(int\)\.Patch\(int\)"):
        parse(text)


def test_leading_zeros_do_not_count() -> None:
    assert parse("018.04.0") == VersionNumber(18, 4, 0)


def test_the_highest_number_has_no_next() -> None:
    last = VersionNumber(1, 0, MOST)
    with pytest.raises(DistributeError, match=f"no version after {last}"):
        after_latest([last], major=None)
    with pytest.raises(DistributeError, match=f"no version after {last}"):
        of_source(str(last), [last])


@given(takens, st.none() | st.integers(-1, 4))
def test_latest_is_new_and_above_all_that_it_looks_at(taken: set[VersionNumber], major: int | None) -> None:
    number = after_latest(taken, major=major)
    assert number not in taken
    assert parse(str(number)) == number
    among = [one for one in taken if major in {None, -1, one.major}]
    assert all(one < number for one in among)
    assert major in {None, -1, number.major}


@given(versions, takens)
def test_source_is_new_and_keeps_major_and_minor(source: VersionNumber, taken: set[VersionNumber]) -> None:
    taken = {*taken, source}
    number = of_source(str(source), taken)
    assert number not in taken
    assert (number.major, number.minor) == (source.major, source.minor)
    assert number > source


@given(st.integers(0, 2**33), st.integers(0, 5))
def test_numbers_of_the_time_are_new_and_grow(second: int, already: int) -> None:
    at = datetime.fromtimestamp(second, UTC)
    taken: set[VersionNumber] = set()
    numbers = []
    for _ in range(already + 1):
        numbers.append(of_time(at, taken))
        taken.add(numbers[-1])
    assert numbers == sorted(set(numbers))
    assert (numbers[-1].minor << 16) + numbers[-1].patch == int(at.timestamp()) + already
