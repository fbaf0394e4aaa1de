"""Azure's platform around one guest: its addresses, served, and what the guest reports to them."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Protocol

from vmwright.artifacts.together import Together
from vmwright.machines.azure import imds as metadata
from vmwright.machines.azure import wireserver as wire
from vmwright.machines.azure.instance import METADATA_ADDRESS, WIRESERVER_ADDRESS
from vmwright.machines.azure.tokens import Tokens
from vmwright.machines.azure.web import served

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator

    from vmwright.events import Events
    from vmwright.machines.azure.instance import Instance
    from vmwright.machines.azure.wireserver import HealthReport

# a guest reports before it lets anybody in, waagent's own provisioning just after it
REPORT_SECONDS = 60.0


class Listen(Protocol):
    """Opens a listening socket at an address of the guest's network."""

    async def __call__(self, address: str, port: int) -> socket.socket:
        """Return the socket, its reader's to close."""


class Platform:
    """What one guest finds at Azure's addresses, and how its provisioning went by its own report."""

    def __init__(self, instance: Instance, events: Events) -> None:
        self.instance = instance
        self._events = events
        self._ready = asyncio.Event()
        self._failure: HealthReport | None = None

    @contextlib.asynccontextmanager
    async def served(self, listen: Listen) -> AsyncIterator[None]:
        """Serve the platform's addresses for as long as the context lasts."""
        tokens = Tokens(self.instance.environment.identities, self._events)
        apps = (
            (METADATA_ADDRESS, metadata.PORT, metadata.imds(self.instance, tokens)),
            (WIRESERVER_ADDRESS, wire.PORT, wire.wireserver(self.instance, self.on_report)),
            (WIRESERVER_ADDRESS, wire.HOST_PLUGIN_PORT, wire.host_plugin()),
        )
        with contextlib.ExitStack() as opened:

            async def open_at(address: str, port: int) -> socket.socket:
                return opened.enter_context(await listen(address, port))

            async with Together() as opening:
                doors = [(opening.start(open_at(address, port)), app) for address, port, app in apps]
            async with served([(door.result(), app) for door, app in doors]):
                yield

    def on_report(self, report: HealthReport) -> None:
        """Take a guest's report on its health; once it was ready, its first failure is a warning."""
        if report.is_ready and not self._ready.is_set():
            self._ready.set()
            self._events.note("The guest reports that it is provisioned")
        elif report.is_failure and self._failure is None:
            self._failure = report
            if self._ready.is_set():
                self._events.warn(f"The guest's agent reports a failure: {report.description}")

    def take_as_ready(self) -> None:
        """Take the guest for one that has reported itself ready: to another platform, before it was saved."""
        self._ready.set()

    def failure(self) -> str | None:
        """Return why the guest could not be provisioned, in its own words; None while it may yet be."""
        if self._failure is None or self._ready.is_set():
            return None
        said = self._failure.description or "it gives no reason"
        return f"The guest reports that its provisioning failed: {said}"

    async def wait_until_ready(self) -> None:
        """Wait for the guest's report that it is provisioned; a warning says that none came."""
        try:
            async with asyncio.timeout(REPORT_SECONDS):
                await self._ready.wait()
        except TimeoutError:
            self._events.warn(
                "The guest answers, but has not reported to its platform that it is provisioned: its agent "
                f"may not reach {WIRESERVER_ADDRESS}"
            )
