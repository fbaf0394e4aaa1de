"""The SSH host key of a container's guest: there before its services start, as after a VM's first boot.

Without one sshd would fail in here alone, and a step's `systemctl restart ssh` with it. Generalizing removes
it.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

if TYPE_CHECKING:
    from vmwright.artifacts.foreign_tree import ForeignTree

SSHD = "/usr/sbin/sshd"
KEY = "/etc/ssh/ssh_host_ed25519_key"


def give_host_key(tree: ForeignTree) -> None:
    """Write a new host key, unless the guest has one of its kind, or no sshd."""
    if tree.stamp(SSHD) is None:
        return
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    with contextlib.suppress(FileExistsError, FileNotFoundError, NotADirectoryError):
        tree.write(KEY, private, mode=0o600)
        tree.write(f"{KEY}.pub", public + b"\n", mode=0o644)
