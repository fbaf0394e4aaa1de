"""The service's own CA and the certificate that it shows, made at first start.

The CA stays: users have put it into their bundles. The certificate is made anew before it expires, and when
the service has got other names. What clients check of either is in azure-clients.md, section 1.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from vmwright.arm.identity import private_files
from vmwright.errors import VmwrightError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CA_DAYS = 3650
SERVER_DAYS = 90
RENEWED_BEFORE = timedelta(days=30)
# The clocks of clients differ.
BACKDATED = timedelta(hours=1)
LONGEST_COMMON_NAME = 64


@dataclass(frozen=True, slots=True)
class Certificates:
    """The files of a service: ``ca`` is what users trust, ``server`` its certificate with the key."""

    ca: Path
    server: Path
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class _Pair:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def pem(self) -> bytes:
        key = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return key + self.certificate.public_bytes(Encoding.PEM)


def provide(folder: Path, names: Sequence[str], *, now: datetime | None = None) -> Certificates:
    """Return the certificates of a service, made or renewed where that is due.

    A service that runs for long calls it once a day and loads ``server`` anew.

    :param names: host names and IP addresses that clients use.
    :raises VmwrightError: the files cannot be read or written, or the CA has expired.
    """
    at = now or datetime.now(UTC)
    with private_files.changing(folder):
        ca = _ca(folder, at)
        shown, server = folder / "ca.pem", folder / "server.pem"
        pem = ca.certificate.public_bytes(Encoding.PEM)
        if not shown.exists() or shown.read_bytes() != pem:
            private_files.write(shown, pem)
            # that one is for everybody
            shown.chmod(0o644)
        pair = _read(server) if server.exists() else None
        if pair is None or not _is_good(pair.certificate, ca, names, at):
            pair = _make_server(ca, names, at)
            private_files.write(server, pair.pem())
        return Certificates(shown, server, pair.certificate.not_valid_after_utc)


def _ca(folder: Path, at: datetime) -> _Pair:
    file = folder / "ca-key.pem"
    if not file.exists():
        pair = _make_ca(at)
        private_files.write(file, pair.pem())
        return pair
    ca = _read(file)
    if ca is None:
        raise VmwrightError(
            f"{file} is not a key with its certificate",
            target=str(file),
            hint="remove it for a new CA, which all clients must then be given",
        )
    if ca.certificate.not_valid_after_utc <= at:
        raise VmwrightError(
            f"The service's CA has expired on {ca.certificate.not_valid_after_utc:%Y-%m-%d}",
            target=str(file),
            hint=f"remove {file} for a new one, which all clients must then be given",
        )
    return ca


def _read(file: Path) -> _Pair | None:
    content = file.read_bytes()
    try:
        key = load_pem_private_key(content, password=None)
        certificate = x509.load_pem_x509_certificate(content)
    except ValueError:
        return None
    return _Pair(certificate, key) if isinstance(key, ec.EllipticCurvePrivateKey) else None


def _is_good(certificate: x509.Certificate, ca: _Pair, names: Sequence[str], at: datetime) -> bool:
    """Whether a certificate can go on being shown."""
    try:
        certificate.verify_directly_issued_by(ca.certificate)
    except (ValueError, TypeError, InvalidSignature):
        return False
    own = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    is_valid = certificate.not_valid_before_utc <= at < certificate.not_valid_after_utc - RENEWED_BEFORE
    return is_valid and list(own) == _alternatives(names)


def _make_ca(at: datetime) -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"vmwright {at:%Y-%m-%d %H:%M}")])
    builder = (
        _builder(key, name, at, days=CA_DAYS)
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(is_ca=True), critical=True)
    )
    return _Pair(builder.sign(key, hashes.SHA256()), key)


def _make_server(ca: _Pair, names: Sequence[str], at: datetime) -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:LONGEST_COMMON_NAME])])
    authority = ca.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        _builder(key, name, at, days=SERVER_DAYS)
        .issuer_name(ca.certificate.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(is_ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(_alternatives(names)), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(authority), critical=False
        )
    )
    return _Pair(builder.sign(ca.key, hashes.SHA256()), key)


def _builder(
    key: ec.EllipticCurvePrivateKey, name: x509.Name, at: datetime, *, days: int
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(at - BACKDATED)
        .not_valid_after(at + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, is_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_ca,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _alternatives(names: Sequence[str]) -> list[x509.GeneralName]:
    return [_alternative(name) for name in names]


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
