"""Which machine runs a build, and making it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from vmwright.builds.guest_environment import azure_environment
from vmwright.builds.networks import network_for
from vmwright.errors import MachineError, UnsupportedError
from vmwright.events import Events
from vmwright.machines import container_needs
from vmwright.machines.choice import Choice, choose
from vmwright.machines.host import kvm_verdict, reason_against_vm
from vmwright.machines.machine import EMULATED, Machine, MachineKind, MachineSpec
from vmwright.machines.making import make_machine
from vmwright.machines.sizes import fit, host_capacity
from vmwright.settings import MachineChoice

if TYPE_CHECKING:
    from vmwright.builds.build import Build
    from vmwright.machines.machine import AzureEnvironment
    from vmwright.settings import Settings
    from vmwright.sources.base_disk import BaseDisk
    from vmwright.template.model import OsType

# Host names and cgroups are built from it: short, and unique enough among the builds of one host.
ID_LENGTH = 8


async def choose_machine(wish: MachineChoice, os_type: OsType, settings: Settings) -> Choice:
    """Return what runs a build of such a guest on this host, and why.

    :raises UnsupportedError: nothing here can.
    """
    return choose(
        wish,
        os_type=os_type,
        kvm=await kvm_verdict(settings),
        container_reason=await container_needs.obstacle(),
        vm_reason=reason_against_vm(),
    )


async def planned(build: Build, base: BaseDisk) -> tuple[MachineKind, MachineSpec]:
    """Return what ``machine_for`` would make, without saying or recording anything.

    :raises UnsupportedError: nothing on this host can run it.
    """
    choice = await choose_machine(build.request.machine, base.facts.os_type, build.settings)
    return choice.kind, _spec(dataclasses.replace(build, events=Events()), base, choice)


async def machine_for(build: Build, base: BaseDisk, *, role: str = "") -> Machine:
    """Return the machine for a build, said and recorded with the reason for its kind.

    :param role: told from the build's other machines by it, in its name and its files.
    :raises UnsupportedError: nothing on this host can run it.
    """
    choice = await choose_machine(build.request.machine, base.facts.os_type, build.settings)
    spec = _spec(build, base, choice, role=role)
    build.events.note(
        f"Machine: {choice.kind} ({choice.reason}), {spec.cpus} vCPU, {spec.memory_mib} MiB, "
        f"network {spec.network}"
    )
    build.records.set(machine=choice.kind, accelerator=choice.accelerator, machine_reason=choice.reason)
    return make_machine(choice.kind, spec, build.ledger, build.events)


async def vm_for(build: Build, base: BaseDisk) -> Machine:
    """Return a virtual machine for a build that began in a container.

    :raises MachineError: this host cannot run one.
    """
    try:
        choice = await choose_machine(MachineChoice.VM, base.facts.os_type, build.settings)
    except UnsupportedError as error:
        raise MachineError(f"The build must be finished in a VM: {error.message}", hint=error.hint) from error
    return make_machine(MachineKind.VM, _spec(build, base, choice), build.ledger, build.events)


def _spec(build: Build, base: BaseDisk, choice: Choice, *, role: str = "") -> MachineSpec:
    sizing = fit(build.template.vm_profile.vm_size, host_capacity())
    for warning in sizing.warnings:
        build.events.warn(warning)
    for note in sizing.notes:
        build.events.note(note)
    return MachineSpec(
        name=f"vmwright-{build.id[:ID_LENGTH]}-{build.claim.attempt}{role}",
        folder=build.folder,
        cpus=min(sizing.cpus, build.claim.granted.cpus),
        memory_mib=min(sizing.memory_mib, build.claim.granted.memory_mib),
        generation=base.facts.generation,
        accelerator=choice.accelerator,
        processor=build.settings.emulated_processor or EMULATED,
        network=network_for(build.template.vm_profile.vnet_config, build.settings),
        azure=_azure(build, base, choice, sizing.size.name),
    )


def _azure(build: Build, base: BaseDisk, choice: Choice, vm_size: str) -> AzureEnvironment | None:
    identities = build.template.vm_profile.user_assigned_identities
    if choice.kind is MachineKind.CONTAINER:
        if identities:
            build.events.note(f"The guest is a container: it gets no tokens of {', '.join(identities)}")
        return None
    return azure_environment(
        base.facts.provisioning,
        build.settings,
        build.events,
        location=build.template.location,
        vm_size=vm_size,
        identities=identities,
    )
