"""``vmwright doctor``: what this host can do, what it lacks, and the command that adds it."""

from __future__ import annotations

import dataclasses
import sys
from typing import TYPE_CHECKING

from vmwright.cli.running import opened, run
from vmwright.cli.screen import print_json, say
from vmwright.cli.words import size
from vmwright.errors import UnsupportedError
from vmwright.machines import container_needs
from vmwright.machines.host import HostReport, survey

if TYPE_CHECKING:
    from vmwright.settings import Settings


def doctor(*, as_json: bool) -> None:
    """Look at this host; exit 3 where nothing can run a build."""
    with opened() as (settings, _):
        report = run(_survey(settings))
        if as_json:
            print_json(dataclasses.asdict(report))
        else:
            _print(report, settings)
    if report.machine is None:
        sys.exit(UnsupportedError.exit_code)


async def _survey(settings: Settings) -> HostReport:
    return await survey(settings, container_reason=await container_needs.obstacle())


def _print(report: HostReport, settings: Settings) -> None:
    for state in report.tools:
        _line(
            state.tool.name,
            state.version or ("found" if state.found else "missing"),
            good=state.found,
            detail=state.tool.purpose,
        )
    for ability in report.abilities:
        _line(ability.name, "yes" if ability.usable else "no", good=ability.usable, detail=ability.detail)
    _line("KVM", "proven" if report.kvm.usable else "no", good=report.kvm.usable, detail=report.kvm.reason)
    _line(
        "containers",
        "no" if report.container_reason else "yes",
        good=not report.container_reason,
        detail=report.container_reason or "user, network and cgroup namespaces of their own",
    )
    room = f"{report.capacity.cpus} processors, {report.capacity.memory_mib} MiB of memory, "
    print(f"{room}{size(report.free_bytes)} free below {settings.home}")
    if report.machine:
        print(f"--machine auto takes: {report.machine.kind} ({report.machine.reason})")
    else:
        print(f"nothing here can run a build: {report.machine_reason}")
    if report.install_command:
        print(f"to add what is missing: {report.install_command}")


def _line(name: str, state: str, *, good: bool, detail: str) -> None:
    mark = ("✓ ", "green") if good else ("✗ ", "yellow")
    say(mark, f"{name:<20} {state:<12} {detail}".rstrip())
