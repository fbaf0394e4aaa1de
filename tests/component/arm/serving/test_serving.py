"""The service on a real socket, with TLS, from its first start on."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest

from vmwright.arm.identity import certificates, private_files
from vmwright.arm.serving import Opened, Serving
from vmwright.errors import UnsupportedError, VmwrightError
from vmwright.events import Events
from vmwright.settings import OidcSettings, ServiceSettings, Settings
from vmwright.state.database import Database
from vmwright.workers.worker import Worker


@dataclass(frozen=True)
class Running:
    serving: Serving
    opened: Opened
    client: httpx2.AsyncClient

    async def log_in(self) -> httpx2.Response:
        owner = self.opened.owner
        assert owner is not None
        assert owner.secret is not None
        form = {
            "grant_type": "client_credentials",
            "client_id": owner.app_id,
            "client_secret": owner.secret.read_text().strip(),
            "scope": f"{self.opened.url}//.default",
        }
        return await self.client.post("/adfs/oauth2/token", data=form)


def on(settings: Settings, **service: object) -> Settings:
    return settings.model_copy(update={"service": ServiceSettings.model_validate(service)})


@contextlib.asynccontextmanager
async def running(
    settings: Settings, database: Database, events: Events, *, new_secret: bool = False
) -> AsyncIterator[Running]:
    opened: asyncio.Future[Opened] = asyncio.get_running_loop().create_future()
    serving = Serving(on(settings, listen="127.0.0.1:0"), database, events, builds=False)
    task = asyncio.create_task(serving.serve(opened.set_result, new_secret=new_secret))
    task.add_done_callback(lambda ended: _tell_failure(ended, opened))
    service = await opened
    trust = ssl.create_default_context(cafile=service.ca)
    async with httpx2.AsyncClient(base_url=service.url, verify=trust) as client:
        yield Running(serving, service, client)
    serving.stop()
    await task


def _tell_failure(ended: asyncio.Task[None], opened: asyncio.Future[Opened]) -> None:
    if not opened.done():
        opened.set_exception(ended.exception() or AssertionError("it ended before it was told to"))


async def test_its_owner_logs_in_and_makes_a_group(
    settings: Settings, database: Database, events: Events
) -> None:
    async with running(settings, database, events) as service:
        token = (await service.log_in()).json()["access_token"]
        group = f"/subscriptions/{settings.service.subscription}/resourcegroups/images?api-version=2021-04-01"
        headers = {"Authorization": f"Bearer {token}"}
        made = await service.client.put(group, json={"location": "westus"}, headers=headers)
        assert made.status_code == 201
        assert (await service.client.get(group)).status_code == 401


async def test_the_secret_is_for_its_owner_alone_and_stays_over_starts(
    settings: Settings, database: Database, events: Events
) -> None:
    async with running(settings, database, events) as first:
        assert first.opened.owner is not None
        assert first.opened.owner.secret is not None
        assert first.opened.owner.secret.stat().st_mode & 0o777 == 0o600
        first_owner, secret = first.opened.owner, first.opened.owner.secret.read_text()
    async with running(settings, database, events) as second:
        assert second.opened.owner == first_owner
        assert first.opened.owner.secret.read_text() == secret
        assert (await second.log_in()).status_code == 200


async def test_a_lost_secret_is_said_and_made_anew(
    settings: Settings, database: Database, events: Events
) -> None:
    async with running(settings, database, events) as first:
        assert first.opened.owner is not None
        assert first.opened.owner.secret is not None
        old = first.opened.owner.secret
    old.write_text("of another database\n")
    async with running(settings, database, events) as lost:
        assert lost.opened.owner is not None
        assert lost.opened.owner.secret is None
    async with running(settings, database, events, new_secret=True) as again:
        assert (await again.log_in()).status_code == 200


async def test_a_removed_owner_does_not_come_back(
    settings: Settings, database: Database, events: Events
) -> None:
    from vmwright.arm.identity.principals import Kind, Principals

    principals = Principals(database)
    principals.add("somebody", Kind.USER, secret="a-good-secret")
    async with running(settings, database, events) as service:
        assert service.opened.owner is None


async def test_a_certificate_that_is_renewed_is_shown(
    settings: Settings, database: Database, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vmwright.arm.serving.RENEW_SECONDS", 0.01)
    async with running(settings, database, events) as service:
        folder = private_files.folder_of(settings)
        host, port = service.opened.url.removeprefix("https://").split(":")

        def shown() -> int:
            trust = ssl.create_default_context(cafile=service.opened.ca)
            with (
                socket.create_connection(("127.0.0.1", int(port))) as plain,
                trust.wrap_socket(plain, server_hostname=host) as wrapped,
            ):
                certificate = wrapped.getpeercert()
                assert certificate is not None
                return int(str(certificate["serialNumber"]), 16)

        first = await asyncio.to_thread(shown)
        (folder / "server.pem").unlink()
        while (await asyncio.to_thread(shown)) == first:
            await asyncio.sleep(0)
        assert certificates.provide(folder, ["localhost", "127.0.0.1", "::1"]).server.exists()


async def test_listening_beyond_this_host_wants_tokens_of_a_real_issuer(
    settings: Settings, database: Database, events: Events
) -> None:
    everywhere = Serving(on(settings, listen="0.0.0.0:0"), database, events, builds=False)
    with pytest.raises(UnsupportedError, match=r"listens beyond this host \(0\.0\.0\.0:0\) only with tokens"):
        await everywhere.serve(lambda _: None)


async def test_with_a_real_issuer_there_is_no_owner_of_its_own(
    settings: Settings, database: Database, events: Events
) -> None:
    oidc = OidcSettings(issuer="https://login.example/", audience="api://vmwright")
    opened: asyncio.Future[Opened] = asyncio.get_running_loop().create_future()
    serving = Serving(on(settings, listen="0.0.0.0:0", oidc=oidc), database, events, builds=False)
    task = asyncio.create_task(serving.serve(opened.set_result))
    assert (await opened).owner is None
    serving.stop()
    await task


async def test_a_port_that_somebody_has_is_named(
    settings: Settings, database: Database, events: Events
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        listen = f"127.0.0.1:{other.getsockname()[1]}"
        taken = Serving(on(settings, listen=listen), database, events, builds=False)
        with pytest.raises(VmwrightError, match=f"cannot listen on {listen}: "):
            await taken.serve(lambda _: None)


async def test_an_answer_does_not_wait_for_the_acknowledgement_of_its_headers(
    settings: Settings, database: Database, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[socket.socket] = []
    create = socket.create_server

    def create_server(*given: Any, **more: Any) -> socket.socket:
        made.append(create(*given, **more))
        return made[-1]

    monkeypatch.setattr(socket, "create_server", create_server)
    async with running(settings, database, events):
        assert [one.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for one in made] == [1]


async def test_a_worker_with_a_defect_ends_the_service(
    settings: Settings, database: Database, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(_worker: Worker) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(Worker, "work", broken)
    serving = Serving(on(settings, listen="127.0.0.1:0"), database, events, builds=True)
    with pytest.raises(RuntimeError, match="a defect"):
        await serving.serve(lambda _: None)
