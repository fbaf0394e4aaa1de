"""What a template's identity opens: the credential that stands for it in the configuration of this host."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx2

from vmwright.downloads import storage, urls
from vmwright.errors import DownloadError
from vmwright.secret_values import read_secret, secrets_in
from vmwright.settings import ANY_IDENTITY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from azure.core.credentials import AccessToken
    from pydantic import SecretStr

    from vmwright.events import Events
    from vmwright.settings import SecretReference, Settings, StorageCredential

# The first version of Blob Storage that takes tokens is 2017-11-09.
BEARER_HEADERS = {"x-ms-version": "2020-10-02"}
RENEW_SECONDS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One storage account that an identity opens, as configured; ``identity`` is an id or ``*``."""

    identity: str
    account: str
    credential: StorageCredential

    @property
    def key(self) -> str:
        """The configuration key, in TOML's spelling."""
        return f'identities."{self.identity}".storage.{self.account}'

    @property
    def endpoint(self) -> httpx2.URL | None:
        """Where the account is, if it is not on one of Azure's hosts."""
        return urls.parse(self.credential.endpoint) if self.credential.endpoint else None


@dataclass(frozen=True, slots=True)
class Request:
    """What to send: a URL and its headers, with the credential in one of them."""

    url: httpx2.URL
    headers: Mapping[str, str] = field(default_factory=dict)


class Identities:
    """The identities of one template, and what they open.

    As on Azure, a template opens nothing without an identity, whatever is configured (reference §6.1, §8).
    """

    def __init__(self, settings: Settings, events: Events, names: Sequence[str]) -> None:
        self._configured = settings.identities
        self._events = events
        self._names = names
        self._tokens: dict[str, AccessToken] = {}

    async def open(self, url: httpx2.URL) -> Request:
        """Return the request for a URL, with the credential of the template's identity where one fits.

        A URL that is signed itself is left as it is; nothing secret is sent over http, save to this host.

        :raises DownloadError: the configured credential is missing or is none.
        :raises TransientError: a token cannot be had just now.
        """
        grant = self._grant(url)
        if grant is None:
            return Request(url)
        if grant.credential.azure_identity:
            token = await self._token(grant)
            return Request(url, {"Authorization": f"Bearer {token}", **BEARER_HEADERS})
        signed = _with_query(url, await self._signature(grant, url))
        for secret in secrets_in(str(signed)):
            self._events.keep_secret(secret)
        return Request(signed)

    def key_for(self, url: httpx2.URL) -> str | None:
        """Return the configuration key of the credential that opens a URL, or None."""
        grant = self._grant(url)
        return grant.key if grant else None

    def explain(self, url: httpx2.URL, response: httpx2.Response) -> str | None:
        """Return what to do about a refusal of Azure Storage; None for other answers and signed URLs."""
        if not storage.is_refusal(response) or storage.is_signed(url):
            return None
        if mapped := self._mapped(url):
            if not storage.may_carry_secrets(url):
                return f"{mapped.key} in vmwright.toml is not sent over http: write https://"
            return (
                f"what {mapped.key} in vmwright.toml gives does not open this blob: see whether it has run "
                "out, whether it may read blobs, and whether there is such a blob"
            )
        if self._names:
            return self._lines_to_add(url)
        if configured := self._find(url, self._configured):
            return (
                f"{configured.key} in vmwright.toml opens this account, but only to a template with an "
                "identity, and this one has none: add identity.userAssignedIdentities"
            )
        return (
            "there is no such blob, or it is private: then the template needs an identity and vmwright.toml "
            "what that identity opens (docs/identities.md), or the URL needs a SAS"
        )

    def _lines_to_add(self, url: httpx2.URL) -> str:
        account = storage.likely_account(url)
        lines = [f'[identities."{self._names[0]}".storage.{account.name}]']
        lines += [f'endpoint = "{account.endpoint}"'] if account.endpoint else []
        lines += ['sas = { env = "STORAGE_SAS" }']
        return (
            "there is no such blob, or it is private: the template's identity opens it once vmwright.toml "
            "says with what (docs/identities.md):\n" + "\n".join(lines)
        )

    def _grant(self, url: httpx2.URL) -> Grant | None:
        """Return what may be used for a URL."""
        usable = storage.may_carry_secrets(url) and not storage.is_signed(url)
        return self._mapped(url) if usable else None

    def _mapped(self, url: httpx2.URL) -> Grant | None:
        """Return what is configured for a URL and the template's identities; ``*`` comes last."""
        wanted = [name.casefold() for name in self._names]
        exact = [name for name in self._configured if name.casefold() in wanted]
        return self._find(url, [*exact, ANY_IDENTITY] if wanted else [])

    def _find(self, url: httpx2.URL, identities: Iterable[str]) -> Grant | None:
        for identity in identities:
            configured = self._configured.get(identity)
            for account, credential in configured.storage.items() if configured else ():
                grant = Grant(identity=identity, account=account, credential=credential)
                if storage.is_in(url, account, grant.endpoint):
                    return grant
        return None

    async def _signature(self, grant: Grant, url: httpx2.URL) -> str:
        if sas := grant.credential.sas:
            token = self._reveal(sas, f"{grant.key}.sas").rpartition("?")[2]
            if "sig" in httpx2.QueryParams(token) and token.isascii() and token.isprintable():
                return token
            raise DownloadError(
                f"{grant.key}.sas is not a shared access signature: it has no sig=...", target=grant.key
            )
        account_key = self._reveal(grant.credential.account_key, f"{grant.key}.account_key")
        return await asyncio.to_thread(_sign, url, grant, account_key)

    async def _token(self, grant: Grant) -> str:
        known = self._tokens.get(grant.key)
        if known is None or known.expires_on < time.time() + RENEW_SECONDS:
            known = self._tokens[grant.key] = await asyncio.to_thread(_fetch_token, grant)
            self._events.keep_secret(known.token)
        return known.token

    def _reveal(self, secret: SecretStr | SecretReference | None, key: str) -> str:
        """Read a secret, which is never shown from here on."""
        value = read_secret(secret, key=key, failure=DownloadError)
        self._events.keep_secret(value)
        return value


def _sign(url: httpx2.URL, grant: Grant, account_key: str) -> str:
    from vmwright.downloads import shared_keys  # noqa: PLC0415 - azure-storage-blob takes 0.7 s to import

    try:
        blob = storage.blob_of(url, grant.account, grant.endpoint)
        return shared_keys.sign(url, blob, account_key)
    except ValueError:
        raise DownloadError(f"{grant.key}.account_key is not in base64", target=grant.key) from None


def _fetch_token(grant: Grant) -> AccessToken:
    from vmwright.downloads import entra  # noqa: PLC0415 - azure-identity takes 0.5 s to import

    return entra.token(grant.credential, key=grant.key)


def _with_query(url: httpx2.URL, more: str) -> httpx2.URL:
    return url.copy_with(query=b"&".join(part for part in (url.query, more.encode("ascii")) if part))
