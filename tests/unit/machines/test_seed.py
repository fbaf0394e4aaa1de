"""The NoCloud seed: what cloud-init will read from it."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import asyncssh
import pycdlib
import pytest

from vmwright.machines.seed import new_access, write_seed

if TYPE_CHECKING:
    from pathlib import Path


def read(seed: Path, name: str, *, extension: str) -> str:
    iso = pycdlib.PyCdlib()
    iso.open(str(seed))
    try:
        assert iso.pvd.volume_identifier.decode().strip() == "cidata"
        text = io.BytesIO()
        iso.get_file_from_iso_fp(text, **{extension: f"/{name}"})
        return text.getvalue().decode()
    finally:
        iso.close()


@pytest.mark.parametrize("extension", ["rr_path", "joliet_path"])
def test_the_seed_makes_the_build_user_and_gives_the_host_key(tmp_path: Path, extension: str) -> None:
    seed, access = tmp_path / "seed", new_access("packer")
    write_seed(seed, access, instance_id="i-1", hostname="build-1")
    assert seed.stat().st_mode & 0o777 == 0o600
    meta = json.loads(read(seed, "meta-data", extension=extension))
    assert meta == {"instance-id": "i-1", "local-hostname": "build-1"}
    text = read(seed, "user-data", extension=extension)
    assert text.startswith("#cloud-config\n")
    config = json.loads(text.partition("\n")[2])
    (user,) = config["users"]
    assert (user["name"], user["sudo"], user["lock_passwd"]) == ("packer", "ALL=(ALL) NOPASSWD:ALL", True)
    (authorized,) = user["ssh_authorized_keys"]
    assert asyncssh.import_public_key(authorized).public_data == access.client_key.public_data
    given = asyncssh.import_private_key(config["ssh_keys"]["ed25519_private"])
    assert given.public_data == access.host_key.public_data
    assert access.client_key.export_private_key().decode() not in text
    assert config["ssh_deletekeys"] is True
    assert config["growpart"]["devices"] == ["/"]
    assert config["resize_rootfs"] is True
    assert config["package_upgrade"] is False


def test_every_machine_has_its_own_keys() -> None:
    one, other = new_access("packer"), new_access("packer")
    assert one.client_key.public_data != other.client_key.public_data
    assert one.host_key.public_data != one.client_key.public_data


def test_a_seed_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "seed").touch()
    with pytest.raises(FileExistsError):
        write_seed(tmp_path / "seed", new_access("packer"), instance_id="i", hostname="h")
