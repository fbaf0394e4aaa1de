from __future__ import annotations

import pytest

from vmwright.arm.identity.devices import MOST_WAITING, VALID_SECONDS, Devices
from vmwright.arm.identity.principals import Account, Kind

SOMEBODY = Account(id="1", app_id="", name="somebody", kind=Kind.USER, stamp="")


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_a_confirmed_device_is_let_in_once(clock: Clock) -> None:
    devices = Devices(clock)
    device = devices.begin(client_id="az", audience="a")
    waiting = devices.poll(device.device_code, "az")
    assert waiting is not None
    assert waiting.account is None
    typed = f" {device.user_code[:4].lower()}-{device.user_code[4:]}"
    assert devices.confirm(typed, SOMEBODY)
    assert not devices.is_waiting(device.user_code)
    confirmed = devices.poll(device.device_code, "az")
    assert confirmed is not None
    assert confirmed.account is SOMEBODY
    assert devices.poll(device.device_code, "az") is None


def test_a_code_is_of_no_use_to_another_client_nor_after_its_time(clock: Clock) -> None:
    devices = Devices(clock)
    device = devices.begin(client_id="az", audience="a")
    assert devices.poll(device.device_code, "other") is None
    clock.now = VALID_SECONDS
    assert devices.poll(device.device_code, "az") is None
    assert not devices.confirm(device.user_code, SOMEBODY)
    assert not devices.confirm("", SOMEBODY)


def test_devices_that_nobody_confirms_do_not_pile_up(clock: Clock) -> None:
    devices = Devices(clock)
    begun = [devices.begin(client_id="az", audience="a") for _ in range(MOST_WAITING + 1)]
    assert not devices.is_waiting(begun[0].user_code)
    assert devices.is_waiting(begun[1].user_code)
