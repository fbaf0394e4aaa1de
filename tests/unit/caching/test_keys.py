"""The keys of steps: each ingredient, changed alone, makes another key of that disk and of those after it."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from vmwright.caching.keys import EndKey, Ground, Keys, StepKey

KEYS = Keys(b"the secret of a home")
GROUND = Ground(
    source="ab" * 32,
    disk_bytes=4 << 30,
    generation="V1",
    provisioning="NoCloud",
    machine="container",
    programs=("systemd 252", "6.1.0"),
    accelerator="tcg",
    processor="max",
    environment="",
    cpus=2,
    memory_mib=2048,
    network="user",
    user="packer",
    variables="PACKER_BUILDER_TYPE=azure-arm",
    vmwright="1.0",
)
STEPS = (
    StepKey(kind="File", sha256="11" * 32, destination="/tmp/page"),
    StepKey(kind="Shell", sha256="22" * 32),
    StepKey(kind="Shell", sha256="33" * 32),
)
END = EndKey(script="waagent -deprovision", commands="rm", vmwright="1.0")


def chain(
    ground: Ground = GROUND, steps: tuple[StepKey, ...] = STEPS, end: EndKey = END, keys: Keys = KEYS
) -> list[str]:
    """Return the keys of the disk before all steps, after each, and behind all."""
    made = [keys.first(ground)]
    for step in steps:
        made.append(keys.after(made[-1], step))
    return [*made, keys.after(made[-1], end)]


def other(value: Any) -> Any:
    match value:
        case int():
            return value + 1
        case tuple():
            return (*value[:-1], f"{value[-1]}x")
        case _:
            return f"{value}x"


def changed(part: Any, field: str) -> Any:
    return dataclasses.replace(part, **{field: other(getattr(part, field))})


def same(one: list[str], two: list[str]) -> list[bool]:
    return [first == second for first, second in zip(one, two, strict=True)]


def test_the_same_has_the_same_keys() -> None:
    assert chain() == chain()
    assert len(set(chain())) == 5
    assert all(len(key) == 64 for key in chain())


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(Ground)])
def test_what_a_build_stands_on_is_in_all_keys(field: str) -> None:
    assert same(chain(), chain(ground=changed(GROUND, field))) == [False] * 5


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(StepKey)])
def test_what_a_step_is_is_in_its_key_and_in_those_after_it(field: str) -> None:
    steps = (STEPS[0], changed(STEPS[1], field), STEPS[2])
    assert same(chain(), chain(steps=steps)) == [True, True, False, False, False]


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(EndKey)])
def test_what_runs_at_the_end_is_in_the_last_key_alone(field: str) -> None:
    assert same(chain(), chain(end=changed(END, field))) == [True, True, True, True, False]


def test_the_order_of_steps_counts() -> None:
    steps = (STEPS[0], STEPS[2], STEPS[1])
    assert same(chain(), chain(steps=steps)) == [True, True, False, False, False]


def test_another_home_has_other_keys() -> None:
    assert same(chain(), chain(keys=Keys(b"another"))) == [False] * 5
