"""The service on its socket: TLS, the worker beside it, an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvicorn

from vmwright.arm.assembly import assemble
from vmwright.arm.connections import Connection
from vmwright.arm.identity import certificates, private_files
from vmwright.arm.identity.address import is_loopback
from vmwright.errors import UnsupportedError, VmwrightError
from vmwright.workers.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from vmwright.arm.assembly import Assembled
    from vmwright.arm.identity.address import Address
    from vmwright.arm.identity.owner import Owner
    from vmwright.events import Events
    from vmwright.settings import ServiceSettings, Settings
    from vmwright.state.database import Database

# How long answers that are under way may take once the service ends.
GOODBYE_SECONDS = 3
RENEW_SECONDS = 24 * 3600.0
BACKLOG = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A service that answers.

    :param ca: the file with the certificate that clients must trust.
    :param owner: who may log in first; None with a real issuer, or where that principal was removed.
    """

    url: str
    ca: Path
    tenant: str
    owner: Owner | None


class Serving:
    """Serves until ``stop``; builds that run then are finished or handed over, as a worker does.

    :param events: is told of what concerns no single request.
    :param builds: whether a worker runs beside it and takes builds from the queue.
    """

    def __init__(self, settings: Settings, database: Database, events: Events, *, builds: bool) -> None:
        self._settings = settings
        self._database = database
        self._events = events
        self._worker = Worker(settings, database, events) if builds else None
        self._stopping = asyncio.Event()
        self._is_working = False

    def stop(self) -> None:
        """End when the builds of the worker have ended; asked again, hand those over that run."""
        self._stopping.set()
        if self._worker:
            self._worker.stop()

    async def serve(self, opened: Callable[[Opened], None], *, new_secret: bool = False) -> None:
        """Serve until told to end.

        :param opened: is called once requests are answered.
        :param new_secret: give the first owner another secret.
        :raises VmwrightError: the configuration is not safe, or the address, the keys or the database cannot
            be used.
        """
        _check_reach(self._settings.service)
        with _listening(self._settings.service) as listening:
            settings = _at(self._settings, listening.getsockname()[1])
            assembled = assemble(settings, self._database, self._events)
            if self._worker is not None:
                assembled.health.also("worker", self._why_no_worker)
            folder = private_files.folder_of(settings)
            names = assembled.identity.address.names
            shown = await asyncio.to_thread(certificates.provide, folder, names)
            owner = await self._owner(assembled, folder, new_secret=new_secret)
            address, tenant = assembled.identity.address, str(settings.service.tenant)
            server = _Server(_config(assembled, shown.server))
            async with assembled.running(), contextlib.AsyncExitStack() as stack:
                renewing = asyncio.create_task(self._renew(server.config, folder, address))
                stack.callback(renewing.cancel)
                answering = asyncio.create_task(server.serve(sockets=[listening]))
                stack.push_async_callback(_ended, server, answering)
                opened(Opened(url=address.url, ca=shown.ca, tenant=tenant, owner=owner))
                await self._until_stopped(answering)

    async def _owner(self, assembled: Assembled, folder: Path, *, new_secret: bool) -> Owner | None:
        if self._settings.service.oidc is not None:
            return None
        return await asyncio.to_thread(assembled.owner, folder, new_secret=new_secret)

    async def _until_stopped(self, answering: asyncio.Task[None]) -> None:
        """Run the worker, and wait to be told to end; a server that ends by itself is an error."""
        working = asyncio.create_task(self._work())
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({stopping, answering}, return_when=asyncio.FIRST_COMPLETED)
            self.stop()
            await working
        finally:
            stopping.cancel()
            working.cancel()

    async def _work(self) -> None:
        """Run builds; where this host can run none, they wait for workers elsewhere."""
        if self._worker is None:
            return
        try:
            self._is_working = True
            await self._worker.work()
        except UnsupportedError as error:
            hint = f" ({error.hint})" if error.hint else ""
            self._events.warn(f"{error.message}{hint}: builds wait for a worker of another host")
        except VmwrightError as error:
            self._events.warn(f"Builds are taken no more: {error.message}")
        except Exception:
            # a defect: the service ends, and is started again with a worker
            self._stopping.set()
            raise
        finally:
            self._is_working = False

    def _why_no_worker(self) -> str:
        return "" if self._is_working else "it takes no builds"

    async def _renew(self, config: uvicorn.Config, folder: Path, address: Address) -> None:
        """Show a new certificate before the old one expires; connections that are open keep theirs."""
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            try:
                shown = await asyncio.to_thread(certificates.provide, folder, address.names)
                if config.ssl is not None:
                    config.ssl.load_cert_chain(shown.server)
            except (VmwrightError, OSError) as error:
                self._events.warn(f"The service's certificate cannot be renewed: {error}")


class _Server(uvicorn.Server):
    """A server that leaves signals to whoever runs it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _ended(server: uvicorn.Server, answering: asyncio.Task[None]) -> None:
    server.should_exit = True
    await answering


def _config(assembled: Assembled, certificate: Path) -> uvicorn.Config:
    return uvicorn.Config(
        assembled.app,
        http=Connection,
        ssl_certfile=certificate,
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        # what a client says of its own address counts nothing
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=GOODBYE_SECONDS,
    )


def _check_reach(service: ServiceSettings) -> None:
    """Check that only this host's users can reach a service that gives out its own tokens.

    :raises UnsupportedError: others can.
    """
    if service.oidc is None and not is_loopback(service.host):
        raise UnsupportedError(
            f"The service listens beyond this host ({service.listen}) only with tokens of a real issuer",
            target="service.listen",
            hint="set service.oidc.issuer and service.oidc.audience, or listen on 127.0.0.1 "
            "(docs/service.md, Other hosts)",
        )


@contextlib.contextmanager
def _listening(service: ServiceSettings) -> Iterator[socket.socket]:
    """Give the socket that the service listens on.

    :raises VmwrightError: the address is not this host's, or somebody else has the port.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(service.host, service.port, type=socket.SOCK_STREAM)[0]
        listening = socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except OSError as error:
        # Python's own words for it are longer, and say the address once more
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or error
        raise VmwrightError(
            f"The service cannot listen on {service.listen}: {why}",
            target="service.listen",
            hint="another service may have the port: --listen 127.0.0.1:0 takes any that is free",
        ) from error
    with listening:
        # connections have it from here, not from asyncio, which does not know the protocol of this socket:
        # without it, each answer waits up to 40 ms for the client's acknowledgement of its headers
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield listening


def _at(settings: Settings, port: int) -> Settings:
    """Return the configuration with the port that the service has got."""
    host = settings.service.listen.rpartition(":")[0]
    return settings.model_copy(
        update={"service": settings.service.model_copy(update={"listen": f"{host}:{port}"})}
    )
