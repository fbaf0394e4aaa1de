"""What this host can do, looked at for real."""

from __future__ import annotations

import dataclasses
import os
from typing import TYPE_CHECKING

import pytest

from vmwright.machines.host import OVMF, HostReport, ToolState, survey
from vmwright.machines.machine import MachineKind
from vmwright.settings import load

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
async def report(tmp_path: Path) -> HostReport:
    return await survey(load(home=tmp_path / "not" / "yet" / "there"), container_reason=None)


async def test_a_host_set_up_by_make_setup_lacks_nothing(report: HostReport) -> None:
    assert report.install_command is None
    versions = {state.tool.name: state.version for state in report.tools}
    assert str(versions["qemu-system-x86_64"]).count(".") >= 2
    assert str(versions["mke2fs"]).startswith("1.")
    assert report.vm_reason is None
    assert report.root == (os.geteuid() == 0)
    assert report.free_bytes > 0
    assert {ability.name for ability in report.abilities} == {
        "FUSE",
        "user namespaces",
        "network namespaces",
        "control groups",
    }
    assert all(ability.detail for ability in report.abilities)
    assert report.machine
    assert report.machine.kind is (MachineKind.VM if report.kvm.usable else MachineKind.CONTAINER)


async def test_one_command_adds_each_missing_package_once(report: HostReport) -> None:
    gone = tuple(
        ToolState(state.tool, None) if state.tool.package in {"e2fsprogs", OVMF.package} else state
        for state in report.tools
    )
    broken = dataclasses.replace(report, tools=gone, root=False)
    assert broken.missing_packages == ("e2fsprogs", "ovmf")
    assert broken.install_command == ("sudo apt-get install --no-install-recommends e2fsprogs ovmf")


async def test_a_host_that_can_run_nothing_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vmwright.machines.host.which", lambda _: None)
    report = await survey(load(home=tmp_path), container_reason="containers need root")
    assert report.machine is None
    assert "qemu-system-x86_64" in report.machine_reason
    assert report.kvm.reason == report.vm_reason
    assert "qemu-system-x86" in str(report.install_command)
