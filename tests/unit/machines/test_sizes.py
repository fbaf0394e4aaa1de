"""Azure VM sizes: every name means something, and the host caps what it gives."""

from __future__ import annotations

import pytest

from vmwright.machines.sizes import Capacity, find_size, fit, host_capacity

BIG = Capacity(cpus=256, memory_mib=8_000_000)


@pytest.mark.parametrize(
    ("name", "cpus", "memory_gib"),
    [
        ("Standard_A1_v2", 1, 2),
        ("Standard_B2ms", 2, 8),
        ("Standard_D1_v2", 1, 3.5),
        ("Standard_DS14_v2", 16, 112),
        ("standard_d4S_V3", 4, 16),
        ("Standard_D2ds_v4", 2, 8),
        ("Standard_D96ads_v5", 96, 384),
        ("Standard_E20s_v5", 20, 160),
        ("Standard_E64s_v3", 64, 432),
        ("Standard_F72s_v2", 72, 144),
        ("Standard_NC4as_T4_v3", 4, 28),
        ("Standard_M128ms", 128, 3892),
    ],
)
def test_a_size_has_azures_figures_whatever_its_case(name: str, cpus: int, memory_gib: float) -> None:
    sizing = fit(name, BIG)
    assert (sizing.cpus, sizing.memory_mib) == (cpus, memory_gib * 1024)
    assert sizing.notes == sizing.warnings == ()


def test_no_size_is_the_services_default_for_generation_v2() -> None:
    sizing = fit("", BIG)
    assert sizing.size == find_size("Standard_D2ds_v4")
    assert sizing.warnings == ()


def test_an_unknown_size_is_a_warning_that_names_the_nearest() -> None:
    sizing = fit("Standard_D4s_v33", BIG)
    assert sizing.size.name == "Standard_D2ds_v4"
    (warning,) = sizing.warnings
    assert warning == (
        "vmSize 'Standard_D4s_v33' is not known here; Standard_D2ds_v4 is used"
        " (did you mean Standard_D4s_v3?)"
    )


def test_nothing_is_suggested_for_a_name_unlike_any() -> None:
    (warning,) = fit("huge", BIG).warnings
    assert warning == "vmSize 'huge' is not known here; Standard_D2ds_v4 is used"


def test_the_host_caps_and_says_so() -> None:
    sizing = fit("Standard_D16s_v3", Capacity(2, 8192))
    assert (sizing.cpus, sizing.memory_mib) == (2, 6144)
    assert sizing.notes == (
        "Standard_D16s_v3 has 16 processors; the machine gets 2, all of this host's 2",
        "Standard_D16s_v3 has 65536 MiB of memory; the machine gets 6144, three quarters of this host's 8192",
    )


def test_a_tiny_size_gets_what_a_guest_needs_to_boot() -> None:
    sizing = fit("Standard_B1ls", BIG)
    assert sizing.memory_mib == 1024
    assert sizing.notes == (
        "Standard_B1ls has 512 MiB of memory; the machine gets 1024, the least that a guest is given here",
    )


@pytest.mark.parametrize(("memory", "expected"), [(1200, 1024), (700, 700)])
def test_a_tiny_host_gives_the_floor_where_it_has_it(memory: int, expected: int) -> None:
    assert fit("", Capacity(1, memory)).memory_mib == expected


def test_this_host_has_something() -> None:
    here = host_capacity()
    assert here.cpus >= 1
    assert here.memory_mib > 256
