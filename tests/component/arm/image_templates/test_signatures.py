from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from vmwright.arm.http.errors import ArmError
from vmwright.arm.providers.storage.signatures import KEY_FILE, Grant, Signatures
from vmwright.errors import VmwrightError

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
GRANT = Grant(resource="account/vhds/a.vhd", kind="b", expires_at=NOW + timedelta(hours=1))


@pytest.fixture
def signatures(tmp_path: Path) -> Signatures:
    return Signatures(tmp_path / "service", clock=lambda: NOW)


def signed(signatures: Signatures, grant: Grant = GRANT) -> dict[str, str]:
    return dict(parse_qsl(signatures.sign(grant)))


def test_a_signed_address_is_for_one_blob(signatures: Signatures) -> None:
    query = signed(signatures)
    signatures.check(query, "account", "vhds", "a.vhd")
    for place in (
        ("account", "vhds", "b.vhd"),
        ("other", "vhds", "a.vhd"),
        ("account", "packerlogs", "a.vhd"),
    ):
        with pytest.raises(ArmError) as refused:
            signatures.check(query, *place)
        assert refused.value.status == 403


def test_a_signed_container_is_for_all_in_it(signatures: Signatures) -> None:
    query = signed(signatures, dataclasses.replace(GRANT, resource="account/vhds", kind="c"))
    signatures.check(query, "account", "vhds", "any.vhd")
    with pytest.raises(ArmError):
        signatures.check(query, "account", "packerlogs", "build/customization.log")
    with pytest.raises(ArmError):
        signatures.check({**query, "sr": "b"}, "account", "vhds", "any.vhd")


@pytest.mark.parametrize(
    "forged",
    [
        {"se": "2099-01-01T00:00:00Z"},
        {"sp": "rwd"},
        {"sr": ""},
        {"st": "2000-01-01T00:00:00Z"},
        {"sig": ""},
        {"sig": "\N{SNOWMAN}"},
        {"sig": "\ud800"},
        {"se": "never"},
    ],
)
def test_whoever_changes_a_signed_address_is_refused(signatures: Signatures, forged: dict[str, str]) -> None:
    query = {**signed(signatures), **forged}
    with pytest.raises(ArmError) as refused:
        signatures.check(query, "account", "vhds", "a.vhd")
    assert refused.value.code == "AuthenticationFailed"
    assert signed(signatures)["sig"] not in refused.value.message


def test_what_is_signed_ends(tmp_path: Path, signatures: Signatures) -> None:
    query = signed(signatures, dataclasses.replace(GRANT, starts_at=NOW))
    for at, says in ((NOW - timedelta(seconds=1), "not valid before"), (GRANT.expires_at, "has expired")):
        with pytest.raises(ArmError, match=says):
            Signatures(tmp_path / "service", clock=lambda at=at: at).check(  # type: ignore[misc]
                query, "account", "vhds", "a.vhd"
            )


def test_the_key_stays_over_starts_and_is_nobody_elses(tmp_path: Path, signatures: Signatures) -> None:
    query = signed(signatures)
    key = tmp_path / "service" / KEY_FILE
    assert key.stat().st_mode & 0o077 == 0
    Signatures(tmp_path / "service", clock=lambda: NOW).check(query, "account", "vhds", "a.vhd")
    key.unlink()
    with pytest.raises(ArmError):
        Signatures(tmp_path / "service", clock=lambda: NOW).check(query, "account", "vhds", "a.vhd")
    key.write_text("broken")
    with pytest.raises(VmwrightError, match="is not a key"):
        Signatures(tmp_path / "service", clock=lambda: NOW).check(query, "account", "vhds", "a.vhd")
