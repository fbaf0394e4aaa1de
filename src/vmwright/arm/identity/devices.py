"""Logins of devices without a browser: a code that somebody confirms elsewhere (RFC 8628)."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmwright.arm.identity.principals import Account

VALID_SECONDS = 900
POLL_SECONDS = 2
MOST_WAITING = 1000
# Without vowels and digits: no words, nothing that looks like something else.
LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
CODE_LENGTH = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A device that waits; ``account`` is who has confirmed it, None until then."""

    device_code: str
    user_code: str
    client_id: str
    audience: str
    expires_at: float
    account: Account | None = None


class Devices:
    """The devices that wait, in this process's memory: who restarts the service begins anew."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._by_device: OrderedDict[str, Device] = OrderedDict()

    def begin(self, *, client_id: str, audience: str) -> Device:
        """Return the codes of a device; where too many wait, the one that waits longest is given up."""
        device = Device(
            device_code=secrets.token_urlsafe(32),
            user_code="".join(secrets.choice(LETTERS) for _ in range(CODE_LENGTH)),
            client_id=client_id,
            audience=audience,
            expires_at=self._clock() + VALID_SECONDS,
        )
        self._by_device[device.device_code] = device
        if len(self._by_device) > MOST_WAITING:
            self._by_device.popitem(last=False)
        return device

    def is_waiting(self, user_code: str) -> bool:
        """Whether a device waits with this code, however it was typed."""
        return self._of_user(user_code) is not None

    def confirm(self, user_code: str, account: Account) -> bool:
        """Let a device in as somebody; False where none waits with this code (any more)."""
        device = self._of_user(user_code)
        if device is None:
            return False
        self._by_device[device.device_code] = replace(device, account=account)
        return True

    def poll(self, device_code: str, client_id: str) -> Device | None:
        """Return a device; None where its time is over or there is none. A confirmed one is returned once."""
        device = self._by_device.get(device_code)
        if device is None or device.client_id != client_id or self._clock() >= device.expires_at:
            return None
        if device.account is not None:
            del self._by_device[device_code]
        return device

    def _of_user(self, user_code: str) -> Device | None:
        typed = "".join(letter for letter in user_code.upper() if letter in LETTERS)
        waiting = (device for device in self._by_device.values() if device.account is None)
        found = (device for device in waiting if secrets.compare_digest(device.user_code, typed))
        return next((device for device in found if self._clock() < device.expires_at), None)
