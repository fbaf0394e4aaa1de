"""Scripts and files come while the source is being found, several at once."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.component.builds.conftest import Bench, shell
from tests.scripted import ScriptedMachine
from vmwright.builds import inputs
from vmwright.customizers.kinds import ReadyStep, fetch_step
from vmwright.errors import DownloadError, SourceError, StepError
from vmwright.events import Outcome
from vmwright.sources.base_disk import BaseDisk
from vmwright.template.model import Customizer

PATIENCE = 20.0


async def until_broken_off(told: asyncio.Event) -> NoReturn:
    """Wait for what never comes, and tell when that is broken off."""
    try:
        async with asyncio.timeout(PATIENCE):
            await asyncio.Event().wait()
    finally:
        told.set()
    raise AssertionError("nobody sets it")


async def test_scripts_are_fetched_while_the_source_is_found(
    bench: Bench, machine: ScriptedMachine, base: BaseDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched = asyncio.Event()

    async def fetch(step: Customizer, number: int, **how: Any) -> ReadyStep:
        ready = await fetch_step(step, number, **how)
        fetched.set()
        return ready

    async def resolve(*_: object, **__: object) -> BaseDisk:
        async with asyncio.timeout(PATIENCE):
            await fetched.wait()
        return base

    monkeypatch.setattr(inputs, "fetch_step", fetch)
    monkeypatch.setattr(inputs, "resolve", resolve)
    result = await bench.build(shell(1))
    assert (result.outcome, result.error) == (Outcome.SUCCEEDED, None)
    assert bench.nothing_is_left()


async def test_a_script_that_cannot_be_had_ends_the_search_for_the_source(
    bench: Bench, machine: ScriptedMachine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ended = asyncio.Event()

    async def resolve(*_: object, **__: object) -> BaseDisk:
        await until_broken_off(ended)

    monkeypatch.setattr(inputs, "resolve", resolve)
    missing = dataclasses.replace(shell(1), inline=(), script_uri=(tmp_path / "missing.sh").as_uri())
    result = await bench.build(missing)
    assert isinstance(result.error, StepError)
    assert "missing.sh" in result.error.message
    assert ended.is_set()
    assert bench.only_layers_are_left()


async def test_a_source_that_cannot_be_had_ends_what_is_fetched(
    bench: Bench, machine: ScriptedMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def fetch(_step: Customizer, number: int, *, folder: Path, **_: object) -> ReadyStep:
        (folder / f"{number}.part").touch()
        begun.set()
        await until_broken_off(ended)

    async def resolve(*_: object, **__: object) -> BaseDisk:
        await begun.wait()
        raise SourceError("there is none")

    monkeypatch.setattr(inputs, "fetch_step", fetch)
    monkeypatch.setattr(inputs, "resolve", resolve)
    result = await bench.build(shell(1))
    assert isinstance(result.error, SourceError)
    assert ended.is_set()
    assert bench.only_layers_are_left()


async def test_several_scripts_come_at_once(
    bench: Bench, machine: ScriptedMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    met = asyncio.Barrier(3)

    async def fetch(step: Customizer, number: int, **how: Any) -> ReadyStep:
        async with asyncio.timeout(PATIENCE):
            await met.wait()
        return await fetch_step(step, number, **how)

    monkeypatch.setattr(inputs, "fetch_step", fetch)
    result = await bench.build(shell(1), shell(2), shell(3))
    assert (result.outcome, result.error) == (Outcome.SUCCEEDED, None)


async def test_a_script_that_cannot_be_had_breaks_off_the_others(
    bench: Bench, machine: ScriptedMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, broken_off = asyncio.Event(), asyncio.Event()

    async def fetch(_step: Customizer, number: int, *, folder: Path, **_: object) -> ReadyStep:
        (folder / f"{number}.part").touch()
        if number == 2:
            await begun.wait()
            raise DownloadError("there is none")
        begun.set()
        await until_broken_off(broken_off)

    monkeypatch.setattr(inputs, "fetch_step", fetch)
    result = await bench.build(shell(1), shell(2))
    assert isinstance(result.error, StepError)
    assert "Step 2 of 2" in result.error.message
    assert broken_off.is_set()
    assert bench.only_layers_are_left()
