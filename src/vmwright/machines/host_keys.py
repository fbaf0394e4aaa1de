"""SSH host keys that a guest is given, so that it need not make them. Generalizing removes them.

In a container they are there before its services start, as after a VM's first boot: without one sshd would
fail in there alone, and a step's `systemctl restart ssh` with it. They are of all kinds that sshd has by
itself: a guest that looks for those at its boot would make what is missing, for which an RSA key takes its
ssh-keygen up to a second.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmwright.artifacts.foreign_tree import ForeignTree

SSHD = "/usr/sbin/sshd"
EXPONENT, RSA_BITS = 65537, 3072  # as ssh-keygen makes them


@dataclass(frozen=True, slots=True)
class HostKey:
    """A key in OpenSSH's two files, by the name that sshd has for its kind."""

    kind: str
    private: bytes
    public: bytes


KINDS: dict[str, Callable[[], rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | Ed25519PrivateKey]] = {
    "rsa": partial(rsa.generate_private_key, EXPONENT, RSA_BITS),
    "ecdsa": partial(ec.generate_private_key, ec.SECP256R1()),
    "ed25519": Ed25519PrivateKey.generate,
}


def new_host_key(kind: str) -> HostKey:
    """Return a new key of one of ``KINDS``; RSA takes a tenth of a second, in which other threads go on."""
    key = KINDS[kind]()
    return HostKey(
        kind,
        key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()),
        key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH) + b"\n",
    )


def new_host_keys() -> tuple[HostKey, ...]:
    """Return a new key of each kind."""
    return tuple(map(new_host_key, KINDS))


def give_host_keys(tree: ForeignTree, keys: tuple[HostKey, ...]) -> None:
    """Write the keys of which the guest has none of the kind, unless it has no sshd."""
    if tree.stamp(SSHD) is None:
        return
    for key in keys:
        path = f"/etc/ssh/ssh_host_{key.kind}_key"
        with contextlib.suppress(FileExistsError, FileNotFoundError, NotADirectoryError):
            tree.write(path, key.private, mode=0o600)
            tree.write(f"{path}.pub", key.public, mode=0o644)
