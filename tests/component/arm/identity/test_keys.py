from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from vmwright.arm.identity.keys import SigningKeys
from vmwright.errors import VmwrightError

LIFE = timedelta(days=30)
LONGEST = timedelta(days=14)


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def keys_in(folder: Path, clock: Clock) -> SigningKeys:
    return SigningKeys(folder, life=LIFE, longest_token=LONGEST, clock=clock)


def kids(keys: SigningKeys) -> list[str]:
    return [key["kid"] for key in keys.public()["keys"]]


def test_a_key_is_made_once_and_nobody_else_may_read_it(tmp_path: Path, clock: Clock) -> None:
    first = keys_in(tmp_path / "keys", clock).signing()
    assert keys_in(tmp_path / "keys", clock).signing().kid == first.kid
    [file] = (tmp_path / "keys").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_new_key_signs_after_its_days_and_the_old_one_verifies_until_its_last_token_has_expired(
    tmp_path: Path, clock: Clock
) -> None:
    keys = keys_in(tmp_path, clock)
    old = str(keys.signing().kid)
    clock.now += LIFE
    new = str(keys.signing().kid)
    assert new != old
    assert kids(keys) == [old, new]
    clock.now += LONGEST - timedelta(seconds=1)
    assert keys.verifying(old) is not None
    clock.now += timedelta(seconds=1)
    assert keys.verifying(old) is None
    assert kids(keys) == [new]
    clock.now += LIFE
    keys.signing()
    assert not (tmp_path / f"{old}.pem").exists()


def test_a_key_that_another_process_has_made_is_known(tmp_path: Path, clock: Clock) -> None:
    here, there = keys_in(tmp_path, clock), keys_in(tmp_path, clock)
    here.signing()
    clock.now += LIFE
    made = str(there.signing().kid)
    assert here.verifying(made) is not None
    assert here.signing().kid == made


def test_nothing_is_made_or_read_for_a_key_that_there_is_not(tmp_path: Path, clock: Clock) -> None:
    keys = keys_in(tmp_path / "keys", clock)
    assert keys.verifying("20260101T000000Z-0123456789abcdef") is None
    assert not (tmp_path / "keys").exists()
    (tmp_path / "outside.pem").write_text("?")
    keys.signing()
    for kid in ("../outside", "", "\0", "x" * 5000):
        assert keys.verifying(kid) is None


def test_a_file_that_is_no_key_is_named(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "notes.pem").write_text("?")
    with pytest.raises(VmwrightError, match=r"notes\.pem is not a key of the service"):
        keys_in(tmp_path, clock).signing()
