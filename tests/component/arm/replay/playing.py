"""A conversation played again: its requests sent to this service, its answers compared."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

import httpx2

from tests.component.arm.replay import site
from tests.component.arm.replay.comparing import OPERATION_HEADERS, Difference, differences
from tests.component.arm.replay.director import Director
from tests.component.arm.replay.exchanges import SUBSCRIPTION, Conversation, Exchange
from tests.component.arm.replay.stage import Stage, restore
from tests.component.arm.replay.variables import GUID, Substitutes
from tests.scripted_builds import ScriptedBuilder
from vmwright.arm.assembly import Assembled, assemble
from vmwright.arm.http.errors import ArmError
from vmwright.arm.http.routing import Router, split
from vmwright.arm.identity import private_files
from vmwright.events import Events
from vmwright.images import open_images
from vmwright.settings import Settings
from vmwright.state.database import Database, open_database

HOST = "https://localhost:8443"
NAMED = f"subscriptions/({GUID})"


@dataclass(frozen=True, slots=True)
class Result:
    """What has come of a request; ``pattern`` is that of the route which answered it."""

    exchange: Exchange
    pattern: str
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Home:
    """A home as after the first start of its service, and a token of its owner."""

    folder: Path
    token: str


class Player:
    """Plays conversations, each to a service of its own: a copy of one that was started once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._homes: dict[str, Home] = {}
        self._played = 0

    async def play(self, conversation: Conversation) -> list[Result]:
        """Send the requests of a conversation that are for ARM, in their order."""
        named = (SUBSCRIPTION.match(exchange.path) for exchange in conversation)
        subscription = next((found[1] for found in named if found), "")
        first = self._homes.get(subscription) or await self._start(subscription)
        self._homes[subscription] = first
        self._played += 1
        home = self._folder / str(self._played)
        await asyncio.to_thread(shutil.copytree, first.folder, home)
        substitutes = _substitutes(conversation, subscription)
        mirrors = site.build(conversation, self._folder / "site", substitutes)
        networks = Director(conversation).networks
        settings = _settings(home, subscription, mirrors=mirrors, networks=networks)
        database = open_database(settings)
        try:
            return await _play(conversation, settings, database, substitutes, first.token)
        finally:
            database.close()
            await asyncio.to_thread(shutil.rmtree, home)

    async def _start(self, subscription: str) -> Home:
        home = self._folder / f"first-{len(self._homes)}"
        settings = _settings(home, subscription)
        database = open_database(settings)
        try:
            assembled = assemble(settings, database, Events())
            owner = assembled.owner(private_files.folder_of(settings))
            assert owner is not None
            assert owner.secret is not None
            form = {
                "grant_type": "client_credentials",
                "client_id": owner.app_id,
                "client_secret": owner.secret.read_text().strip(),
                "scope": f"{HOST}//.default",
            }
            async with _asking(assembled) as client:
                answer = await client.post("/adfs/oauth2/token", data=form)
            return Home(home, answer.json()["access_token"])
        finally:
            database.close()


async def _play(
    conversation: Conversation, settings: Settings, database: Database, substitutes: Substitutes, token: str
) -> list[Result]:
    director = Director(conversation)
    assembled = assemble(settings, database, Events(), find=director.find)
    stage = Stage(database, open_images(settings, database), settings.home)
    builder = ScriptedBuilder(settings, database, exact_versions=director.exact_versions)
    router = Router(assembled.routes)
    results = []
    async with assembled.running(), _asking(assembled, token) as client:
        for exchange in conversation:
            if not exchange.is_arms:
                continue
            await assembled.background.idle()
            sent = restore(exchange, substitutes.body(exchange.sent))
            await stage.prepare(exchange, sent)
            await director.go_on(exchange, builder)
            answer = await client.request(
                exchange.method,
                substitutes.text(exchange.path),
                params={**exchange.query, "api-version": exchange.api_version},
                json=sent,
            )
            _learn(exchange, answer, substitutes)
            pattern = _pattern(router, exchange.method, answer.request.url)
            results.append(Result(exchange, pattern, tuple(differences(exchange, answer))))
        await assembled.background.idle()
    return results


def _pattern(router: Router, method: str, url: httpx2.URL) -> str:
    """Return the pattern of the route that answers a request, "" where there is none."""
    try:
        return router.match(method, split(url.raw_path.decode().partition("?")[0])).route.pattern
    except ArmError:
        return ""


def _substitutes(conversation: Conversation, subscription: str) -> Substitutes:
    """Return what is known before anything is sent: a subscription that the recorder missed is this one."""
    substitutes = Substitutes()
    for given in (subscription, *re.findall(NAMED, json.dumps([one.sent for one in conversation]))):
        substitutes.set(given, subscription)
    return substitutes


def _learn(exchange: Exchange, answer: httpx2.Response, substitutes: Substitutes) -> None:
    for name in OPERATION_HEADERS:
        substitutes.learn(exchange.headers.get(name.lower()), answer.headers.get(name))
    if answer.content and answer.status_code == exchange.status:
        substitutes.learn(exchange.answered, answer.json())


def _settings(home: Path, subscription: str, **given: dict[str, str]) -> Settings:
    service = {"subscription": subscription} if subscription else {}
    return Settings.model_validate({"home": home, "service": service, **given})


def _asking(assembled: Assembled, token: str = "") -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=assembled.app),
        base_url=HOST,
        headers={"Authorization": f"Bearer {token}"} if token else {},
    )
