"""``vmwright sources`` as a program: what it lists, fetches and removes, with a vendor on this host."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.vendor_sites import Sites
from tests.vmwright_command import Vmwright

UBUNTU = "Canonical:UbuntuServer:18.04-LTS"


@pytest.fixture
def vmwright(tmp_path: Path, raw_disk: Path) -> Vmwright:
    """The command, with mirrors to a folder where Ubuntu's files are."""
    home = tmp_path / "home"
    home.mkdir()
    sites = Sites(tmp_path / "sites", raw_disk)
    sites.ubuntu("bionic", "18.04", "20190306", "20230607")
    mirrors = sites.mirrors(f"file://{tmp_path}/sites")
    lines = "".join(f'"{prefix}" = "{mirror}"\n' for prefix, mirror in mirrors.items())
    (home / "vmwright.toml").write_text(f"[mirrors]\n{lines}")
    return Vmwright(home)


def test_a_vendors_image_is_listed_pulled_and_removed(vmwright: Vmwright) -> None:
    listed = vmwright("sources", "list").out
    assert f"{UBUNTU} " in listed
    assert "to be fetched from cloud-images.ubuntu.com" in listed
    assert "RedHat:*:*" in listed

    done = vmwright("sources", "pull", UBUNTU.lower())
    assert done.code == 0, done.err
    assert f"pulled {UBUNTU}:18.04.202306070: Tiny 1, generation V1" in done.out
    assert vmwright("sources", "pull", f"{UBUNTU}:18.04.201903060").code == 0
    entries = vmwright.json("sources", "list")
    assert [entry["id"] for entry in entries] == [f"{UBUNTU}:18.04.201903060", f"{UBUNTU}:18.04.202306070"]
    assert entries[0]["origin"].startswith("fetched from https://cloud-images.ubuntu.com/releases/bionic/")
    assert f"{UBUNTU} " not in vmwright("sources", "list").out

    assert vmwright("sources", "rm", f"{UBUNTU}:18.04.202306070").code == 0
    assert vmwright("sources", "rm", UBUNTU).code == 0
    assert vmwright.json("sources", "list") == []


def test_a_name_that_has_to_be_added_is_refused_as_unsupported(vmwright: Vmwright) -> None:
    done = vmwright("sources", "pull", "MicrosoftWindowsServer:WindowsServer:2019-Datacenter")
    assert done.code == 3
    assert "vmwright does not fetch it" in done.err
    assert "vmwright sources add MicrosoftWindowsServer:WindowsServer:2019-Datacenter DISK" in done.err


def test_a_file_of_the_users_that_is_wrong_is_named(vmwright: Vmwright) -> None:
    (vmwright.home / "marketplace.toml").write_text('[[image]]\nlayout = "ubuntu"\n')
    done = vmwright("sources", "list")
    assert done.code == 2
    assert "marketplace.toml cannot be used: image[0].os: Field required" in done.err
