"""The NoCloud seed: the small disk from which cloud-init in the guest makes the build user.

The guest's host key is made here and given to it, so the first connection already knows whom it speaks to.
The configuration that says so is also what an Azure guest gets as its custom data.
"""

from __future__ import annotations

import io
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import asyncssh
import pycdlib

if TYPE_CHECKING:
    from pathlib import Path

KEY_TYPE = "ssh-ed25519"
VOLUME = "cidata"


@dataclass(frozen=True, slots=True)
class Access:
    """How to get into one guest: the build user, the key that opens it, and the key the guest shows."""

    user: str
    client_key: asyncssh.SSHKey
    host_key: asyncssh.SSHKey

    @property
    def authorized_key(self) -> str:
        """The public key that opens the guest, as a line of authorized_keys."""
        return self.client_key.export_public_key().decode().strip()


def new_access(user: str) -> Access:
    """Make fresh keys; they live in memory and, the host's, in the seed."""
    client = asyncssh.generate_private_key(KEY_TYPE, comment=f"{user}@vmwright")
    return Access(user, client, asyncssh.generate_private_key(KEY_TYPE, comment="vmwright"))


def write_seed(path: Path, access: Access, *, instance_id: str, hostname: str) -> None:
    """Write the seed as an ISO 9660 image (volume ``cidata``) that only this user may read.

    :param instance_id: unique, or cloud-init takes the guest for one that it has provisioned already.
    """
    meta_data = json.dumps({"instance-id": instance_id, "local-hostname": hostname})
    files = {"meta-data": meta_data, "user-data": cloud_config(access)}
    iso = pycdlib.PyCdlib()
    iso.new(vol_ident=VOLUME, joliet=3, rock_ridge="1.09")
    for number, (name, text) in enumerate(files.items()):
        data = text.encode()
        iso.add_fp(io.BytesIO(data), len(data), f"/F{number}.;1", rr_name=name, joliet_path=f"/{name}")
    write_image(path, iso)


def write_image(path: Path, iso: pycdlib.PyCdlib) -> None:
    """Write a finished image, which holds a private key, to a file that only this user may read; close it.

    :raises FileExistsError: there is a file already.
    """
    image = io.BytesIO()
    iso.write_fp(image)
    iso.close()
    with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "wb") as file:
        file.write(image.getvalue())


def cloud_config(access: Access) -> str:
    """Return cloud-init's configuration: the build user and a disk that is filled, nothing else changed."""
    return f"#cloud-config\n{json.dumps(_configuration(access))}\n"


def _configuration(access: Access) -> dict[str, object]:
    return {
        "users": [
            {
                "name": access.user,
                "gecos": "vmwright build user",
                "shell": "/bin/bash",
                "lock_passwd": True,
                "sudo": "ALL=(ALL) NOPASSWD:ALL",
                "ssh_authorized_keys": [access.authorized_key],
            }
        ],
        "ssh_deletekeys": True,
        "ssh_keys": {
            "ed25519_private": access.host_key.export_private_key().decode(),
            "ed25519_public": access.host_key.export_public_key().decode().strip(),
        },
        "growpart": {"mode": "auto", "devices": ["/"]},
        "resize_rootfs": True,
        # the image's own settings stay as they are: cloud-init would write these into it
        "locale": False,
        "apt": {"preserve_sources_list": True},
        "package_update": False,
        "package_upgrade": False,
    }
