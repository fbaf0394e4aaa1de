"""Who calls, put together by the configuration: the service's own issuer, or a real one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from vmwright.arm.identity import private_files
from vmwright.arm.identity.address import Address, address_of
from vmwright.arm.identity.authentication import Authenticator
from vmwright.arm.identity.device_page import DevicePage
from vmwright.arm.identity.devices import Devices
from vmwright.arm.identity.grants import Grants
from vmwright.arm.identity.issuer import ADFS, Issuer
from vmwright.arm.identity.issuer_keys import IssuerKeys, fetch_json
from vmwright.arm.identity.keys import SigningKeys
from vmwright.arm.identity.logins import Attempts, Logins
from vmwright.arm.identity.metadata import Metadata
from vmwright.arm.identity.oidc import OidcTokens
from vmwright.arm.identity.principals import Principals
from vmwright.arm.identity.tokens import REFRESHED_WITHIN, OwnTokens

if TYPE_CHECKING:
    from vmwright.arm.http.routing import Route
    from vmwright.events import Events
    from vmwright.settings import Settings
    from vmwright.state.database import Database

KEYS = "signing-keys"


@dataclass(frozen=True, slots=True)
class Identity:
    """What the service needs to know who calls, and the ways in to its tokens and its metadata."""

    authenticator: Authenticator
    principals: Principals
    address: Address
    routes: tuple[Route, ...]


def identity_of(settings: Settings, database: Database, events: Events) -> Identity:
    """Return who may call a service. With a real issuer configured, there are no tokens of its own.

    Nothing is made on disk before the first token.
    """
    service = settings.service
    principals, address = Principals(database), address_of(service)
    metadata = tuple(Metadata(service).routes())
    if service.oidc is not None:
        issuer_keys = IssuerKeys(service.oidc.issuer, events, fetch=fetch_json)
        foreign = Authenticator(OidcTokens(service.oidc, issuer_keys), authority=service.oidc.issuer)
        return Identity(foreign, principals, address, metadata)
    keys, tenant = signing_keys(settings), str(service.tenant)
    tokens = OwnTokens(
        keys=keys,
        principals=principals,
        address=address,
        tenant=tenant,
        lifetime=timedelta(minutes=service.token_minutes),
        clock=_now,
    )
    logins, devices = Logins(principals, Attempts()), Devices()
    grants = Grants(tokens=tokens, logins=logins, devices=devices, address=address, tenant=tenant)
    page = DevicePage(devices, logins)
    issuer = Issuer(grants=grants, page=page, tokens=tokens, keys=keys, tenant=tenant)
    authenticator = Authenticator(tokens, authority=f"{address.url}/{ADFS}")
    return Identity(authenticator, principals, address, (*metadata, *issuer.routes()))


def signing_keys(settings: Settings) -> SigningKeys:
    """Return the keys of a home's service; the first is made when it is first asked for."""
    service = settings.service
    return SigningKeys(
        private_files.folder_of(settings) / KEYS,
        life=timedelta(days=service.key_days),
        longest_token=max(REFRESHED_WITHIN, timedelta(minutes=service.token_minutes)),
        clock=_now,
    )


def _now() -> datetime:
    return datetime.now(UTC)
