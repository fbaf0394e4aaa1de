from __future__ import annotations

import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from vmwright.arm.identity.certificates import Certificates, provide
from vmwright.errors import VmwrightError

NAMES = ("localhost", "127.0.0.1", "::1")


def shake_hands(certificates: Certificates, name: str) -> None:
    """Let a client that trusts the CA alone, and strictly, meet the server."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificates.server)
    client = ssl.create_default_context(cafile=str(certificates.ca))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(back, there, server_hostname=name),
        server.wrap_bio(there, back, server_side=True),
    ]
    while ends:
        for end in tuple(ends):
            try:
                end.do_handshake()
                ends.remove(end)
            except ssl.SSLWantReadError:
                continue


@pytest.mark.parametrize("name", NAMES)
def test_a_client_that_trusts_the_ca_trusts_the_service_by_each_name(tmp_path: Path, name: str) -> None:
    certificates = provide(tmp_path / "service", NAMES)
    shake_hands(certificates, name)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(certificates, "example.org")


def test_nobody_else_may_read_the_keys(tmp_path: Path) -> None:
    certificates = provide(tmp_path / "service", NAMES)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "service").iterdir()}
    assert modes == {"ca-key.pem": 0o600, "server.pem": 0o600, "ca.pem": 0o644}
    assert b"PRIVATE" not in certificates.ca.read_bytes()


def test_nothing_changes_before_it_must(tmp_path: Path) -> None:
    first = provide(tmp_path, NAMES)
    ca, server = first.ca.read_bytes(), first.server.read_bytes()
    assert provide(tmp_path, NAMES) == first
    assert (first.ca.read_bytes(), first.server.read_bytes()) == (ca, server)


def test_a_certificate_is_renewed_before_it_expires_and_the_ca_stays(tmp_path: Path) -> None:
    first = provide(tmp_path, NAMES, now=datetime.now(UTC) - timedelta(days=61))
    ca = first.ca.read_bytes()
    again = provide(tmp_path, NAMES)
    assert again.expires_at > first.expires_at + timedelta(days=60)
    assert again.ca.read_bytes() == ca
    shake_hands(again, "localhost")


def test_new_names_get_a_new_certificate_of_the_same_ca(tmp_path: Path) -> None:
    ca = provide(tmp_path, NAMES).ca.read_bytes()
    again = provide(tmp_path, (*NAMES, "builder.example.org"))
    assert again.ca.read_bytes() == ca
    shake_hands(again, "builder.example.org")


def test_a_start_that_was_cut_off_is_made_good(tmp_path: Path) -> None:
    first = provide(tmp_path, NAMES)
    ca = first.ca.read_bytes()
    first.ca.unlink()
    first.server.write_bytes(first.server.read_bytes()[:100])
    again = provide(tmp_path, NAMES)
    assert again.ca.read_bytes() == ca
    shake_hands(again, "localhost")


def test_a_ca_that_cannot_be_used_is_not_replaced_unasked(tmp_path: Path) -> None:
    provide(tmp_path, NAMES)
    with pytest.raises(VmwrightError, match="CA has expired") as expired:
        provide(tmp_path, NAMES, now=datetime.now(UTC) + timedelta(days=3651))
    assert "ca-key.pem" in str(expired.value.hint)
    (tmp_path / "ca-key.pem").write_text("?")
    with pytest.raises(VmwrightError, match=r"ca-key\.pem is not a key with its certificate"):
        provide(tmp_path, NAMES)
