"""One service put together: what it keeps, who may do what, and every provider with its ways in."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmwright.arm.access import roles
from vmwright.arm.access.access import open_access
from vmwright.arm.access.gate import RoleGate
from vmwright.arm.background import Background
from vmwright.arm.contract import published
from vmwright.arm.dispatcher import Dispatcher
from vmwright.arm.http.app import Arm
from vmwright.arm.http.routing import Router
from vmwright.arm.identity import owner
from vmwright.arm.identity.identity import identity_of
from vmwright.arm.live import runs as live
from vmwright.arm.live.watches import Watches
from vmwright.arm.observing import routes as observing
from vmwright.arm.observing.health import Health
from vmwright.arm.observing.metrics import Metrics
from vmwright.arm.observing.requests import Observed
from vmwright.arm.operations import Operations
from vmwright.arm.providers import (
    aliases,
    authorization,
    compute,
    deployments,
    graph,
    groups,
    image_templates,
    managed_identity,
    registrations,
    resources,
    storage,
    subscriptions,
)
from vmwright.arm.providers.image_templates.finding import find_source
from vmwright.arm.rules import Rules
from vmwright.arm.service import Service
from vmwright.arm.store import ResourceStore
from vmwright.images import open_images

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from sqlalchemy.orm import Session
    from starlette.types import ASGIApp

    from vmwright.arm.access.access import Access
    from vmwright.arm.http.routing import Route
    from vmwright.arm.identity.identity import Identity
    from vmwright.arm.identity.owner import Owner
    from vmwright.arm.identity.principals import Account
    from vmwright.arm.providers.image_templates import Following
    from vmwright.arm.providers.image_templates.provisioning import FindSource
    from vmwright.events import Events
    from vmwright.settings import Settings
    from vmwright.state.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembled:
    """A service whose requests ``app`` answers by its ``routes`` while it is ``running``."""

    app: ASGIApp
    routes: tuple[Route, ...]
    health: Health
    identity: Identity
    access: Access
    background: Background
    following: Following
    deploying: Background

    def owner(self, folder: Path, *, new_secret: bool = False) -> Owner | None:
        """Return the principal that owns everything, made at the first start (``identity/owner.py``).

        :raises VmwrightError: the file with its secret cannot be written, or the database cannot be used.
        """

        def own(session: Session, account: Account) -> None:
            self.access.assignments.grant(
                session, roles.OWNER, principal_id=account.id, principal_type=account.kind
            )

        return owner.provide(self.identity.principals, folder, own, new_secret=new_secret)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Do what is behind operations, also those that an earlier service has left open; fire triggers.

        :raises VmwrightError: the database cannot be used.
        """
        async with self.background.running(), self.deploying.running(), self.following.running():
            yield


def assemble(
    settings: Settings, database: Database, events: Events, *, find: FindSource = find_source
) -> Assembled:
    """Return the service of a configuration; nothing runs yet.

    :param events: is told of what concerns no single request.
    :param find: finds the sources of templates.
    """
    service = Service(
        settings=settings,
        database=database,
        images=open_images(settings, database),
        store=ResourceStore(database),
        operations=Operations(database),
        events=events,
        subscription=str(settings.service.subscription),
        tenant=str(settings.service.tenant),
    )
    access = open_access(database, service.subscription)
    identity = identity_of(settings, database, events)
    background = Background(service.operations, events)
    # deployments wait for other operations, whose room they must not take
    deploying = Background(service.operations, events)
    following = image_templates.Following(service, find=find)
    watches, health = Watches(service), Health(settings, database)
    metrics = Metrics(service, watches)
    gate, rules = RoleGate(identity.authenticator, access.decisions), Rules(service.subscription)
    dispatcher = Dispatcher(gate, rules)
    routes = published(
        (
            *identity.routes,
            *_general(service, access, background),
            *image_templates.routes(service, background, access, find=find, new_trigger=following.soon),
            *compute.routes(service, background, access.decisions),
            *storage.routes(service, identity.authenticator, access.decisions),
            *deployments.routes(service, deploying, dispatcher, image_templates.PREFLIGHTS),
            *live.routes(service, access.decisions, watches),
            *observing.routes(service, access.decisions, metrics, health),
        )
    )
    router = Router(routes)
    dispatcher.serves(router)
    return Assembled(
        app=Observed(Arm(router, gate, rules=rules), metrics.requests),
        routes=routes,
        health=health,
        identity=identity,
        access=access,
        background=background,
        deploying=deploying,
        following=following,
    )


def _general(service: Service, access: Access, background: Background) -> Iterator[Route]:
    """Give the ways to what is around the resources of the other providers."""
    images = compute.ComputeContents(service)
    # roles go last: until all else is gone, whoever removes a group must be allowed to do so again
    removals = (image_templates.Deletion(service), images, access)
    yield from subscriptions.routes(service)
    yield from groups.routes(service, background, removals)
    yield from registrations.routes(service)
    yield from resources.routes(service, [images])
    yield from aliases.routes(service)
    yield from authorization.routes(service, access)
    yield from managed_identity.routes(service, access)
    yield from graph.routes(access.directory)
