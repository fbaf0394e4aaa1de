"""What a build says of the machine that it gets."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.component.builds.conftest import IDENTITY, MakeBuild, template
from tests.scripted import Recorder
from vmwright.builds import hosting
from vmwright.events import Notice
from vmwright.machines.choice import Choice
from vmwright.machines.machine import EMULATED, Accelerator, MachineKind
from vmwright.sources.base_disk import BaseDisk
from vmwright.template.model import VmProfile


@pytest.mark.parametrize("identities", [(), (IDENTITY,)], ids=["none", "one"])
async def test_a_container_with_identities_says_that_it_gets_no_tokens(
    make_build: MakeBuild,
    base: BaseDisk,
    recorder: Recorder,
    monkeypatch: pytest.MonkeyPatch,
    identities: tuple[str, ...],
) -> None:
    async def a_container(*_: object) -> Choice:
        return Choice(MachineKind.CONTAINER, Accelerator.TCG, "a test")

    monkeypatch.setattr(hosting, "choose_machine", a_container)
    build = make_build()
    wanted = replace(template(), vm_profile=VmProfile(user_assigned_identities=identities))
    await hosting.machine_for(replace(build, request=replace(build.request, template=wanted)), base)
    notes = [one.message for one in recorder.of(Notice) if "no tokens" in one.message]
    assert notes == [f"The guest is a container: it gets no tokens of {one}" for one in identities]


@pytest.mark.parametrize(("wanted", "processor"), [(None, EMULATED), ("max", "max")])
async def test_an_operator_may_choose_the_emulated_processor(
    make_build: MakeBuild,
    base: BaseDisk,
    monkeypatch: pytest.MonkeyPatch,
    wanted: str | None,
    processor: str,
) -> None:
    async def a_vm(*_: object) -> Choice:
        return Choice(MachineKind.VM, Accelerator.TCG, "a test")

    monkeypatch.setattr(hosting, "choose_machine", a_vm)
    build = make_build()
    settings = build.settings.model_copy(update={"emulated_processor": wanted})
    _, spec = await hosting.planned(replace(build, settings=settings), base)
    assert spec.processor == processor
