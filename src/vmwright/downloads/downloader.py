"""Fetching one file: ten attempts, resumed where the server can, verified before it gets its name."""

from __future__ import annotations

import asyncio
import logging
import stat
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

import httpx2

from vmwright import __version__
from vmwright.downloads import retries, urls
from vmwright.downloads.identities import Identities, Request
from vmwright.downloads.partial import PartialFile
from vmwright.downloads.retries import TransientError
from vmwright.downloads.transport import CheckedTransport
from vmwright.errors import DownloadError
from vmwright.events import Progress
from vmwright.secret_values import secrets_in

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from vmwright.downloads.urls import Location, Origin
    from vmwright.events import Events
    from vmwright.settings import Settings

CONNECT_SECONDS = 15.0
READ_SECONDS = 60.0
MAX_REDIRECTS = 10
PROGRESS_SECONDS = 0.25
CHUNK = 1 << 20
SPOKEN = {"sha256": "SHA-256", "sha512": "SHA-512"}
# Bytes are asked for as they are: a checksum is that of the file, not of its compression.
HEADERS = {"User-Agent": f"vmwright/{__version__}", "Accept": "*/*", "Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A file that was fetched: where it is, its checksum (lower-case hex), its length.

    :param digest: by the algorithm that was asked for; SHA-256 where none was.
    """

    path: Path
    digest: str
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is asked for: ``what`` names it for people, ``max_bytes`` is the most it may have.

    :param digest: what the file must have by ``algorithm`` (as hashlib names it), in lower-case hex.
    """

    location: Location
    what: str
    algorithm: str
    digest: str | None
    max_bytes: int | None
    attempts: int

    @property
    def shown(self) -> str:
        """The URL as people may see it."""
        return self.location.shown


class Downloader:
    """The one door to the network."""

    def __init__(
        self, settings: Settings, events: Events, *, identities: Sequence[str] | None = None
    ) -> None:
        """Open the door.

        :param identities: those of the template whose files are fetched: they open Azure Storage as
            configured. None for what no template's identity is asked for.
        """
        self._mirrors = settings.mirrors
        self._events = events
        self._identities = None if identities is None else Identities(settings, events, identities)

    async def fetch(
        self,
        url: str,
        destination: Path,
        *,
        sha256: str | None,
        what: str,
        origin: Origin,
        sha512: str | None = None,
        max_bytes: int | None = None,
        attempts: int = retries.ATTEMPTS,
    ) -> Fetched:
        """Fetch a URL into ``destination``, whose folder exists and which nobody else writes meanwhile.

        The bytes are in ``<destination>.part`` until they are complete and verified; it is gone at the end,
        whatever that is. The ledger has the folder, not that file: the folder is its caller's.

        :param sha256: what the file must have, in hex of any case; None or "" for no check.
        :param sha512: the same where its maker gives SHA-512 sums; then ``sha256`` is not looked at.
        :param what: the file's name for people: ``customizer 2 (Install nginx)``.
        :param attempts: fewer where the caller can do without the file.
        :raises DownloadError: the address or scheme is refused, the server refuses, all attempts failed,
            the file is not what its checksum says, or it cannot be written.
        """
        location = urls.locate(url, mirrors=self._mirrors, origin=origin)
        for secret in secrets_in(str(location.url)):
            self._events.keep_secret(secret)
        order = Order(
            location=location,
            what=what,
            algorithm="sha512" if sha512 else "sha256",
            digest=(sha512 or sha256 or "").lower() or None,
            max_bytes=max_bytes,
            attempts=attempts,
        )
        if location.mirror:
            self._events.note(f"{what} is taken from {location.shown}: the mirror of {location.mirror}")
        elif key := self._identities and self._identities.key_for(location.url):
            self._events.note(f"{what} is opened with {key}")
        partial = PartialFile(destination, order.algorithm)
        try:
            if location.file:
                await self._copy(location.file, partial, order)
            else:
                await self._download(partial, order)
            _verify(partial, order)
            await asyncio.to_thread(partial.commit)
        finally:
            partial.discard()
        return Fetched(path=destination, digest=partial.digest, size_bytes=partial.size)

    async def _download(self, partial: PartialFile, order: Order) -> None:
        made = 0
        # Its lines have whole addresses, with their signatures; what there is to say are events here.
        logging.getLogger("httpx2").setLevel(logging.WARNING)
        context = await asyncio.to_thread(httpx2.create_ssl_context)
        client = httpx2.AsyncClient(
            transport=CheckedTransport(context),
            headers=HEADERS,
            timeout=httpx2.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
        )
        async with client:
            try:
                async for attempt in retries.attempts(order.attempts):
                    made = attempt.num
                    with attempt:
                        await self._attempt(client, partial, order, number=made)
            except TransientError as error:
                raise DownloadError(
                    f"Downloading {order.what} from {order.shown} failed after {made} attempts: {error}",
                    target=order.shown,
                    hint=_mirror_hint(order.location.url),
                ) from None

    async def _attempt(
        self, client: httpx2.AsyncClient, partial: PartialFile, order: Order, *, number: int
    ) -> None:
        try:
            await self._transfer(client, partial, order)
        except httpx2.TransportError as error:
            failed = retries.from_transport(error, shown=order.shown)
        except TransientError as error:
            failed = error
        else:
            return
        attempt = f"attempt {number} of {order.attempts}"
        self._events.note(f"Downloading {order.what} from {order.shown} [{attempt}] failed: {failed}")
        raise failed

    async def _transfer(self, client: httpx2.AsyncClient, partial: PartialFile, order: Order) -> None:
        """Follow redirects by hand, so that each hop's scheme and address is checked, and take the bytes.

        The credential of an identity is for the URL of the template alone: no mirror, no other hop has it.
        """
        identities = None if order.location.mirror else self._identities
        url = order.location.url
        request = await identities.open(url) if identities else Request(url)
        for _ in range(MAX_REDIRECTS + 1):
            headers = {**request.headers, **partial.range_headers}
            async with client.stream("GET", request.url, headers=headers) as response:
                if response.has_redirect_location:
                    url = _next_hop(url, response.headers["Location"], order)
                    request, identities = Request(url), None
                    continue
                if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and partial.size:
                    partial.restart()
                    raise TransientError("the server has no more of this file")
                hint = identities.explain(url, response) if identities else None
                retries.check_status(response, shown=urls.shown(url), hint=hint)
                await self._receive(response, partial, order)
                return
        raise DownloadError(f"{order.shown}: more than {MAX_REDIRECTS} redirects", target=order.shown)

    async def _receive(self, response: httpx2.Response, partial: PartialFile, order: Order) -> None:
        if encoding := response.headers.get("Content-Encoding", "").replace("identity", ""):
            self._events.warn(f"{order.shown} is sent {encoding}-compressed, unasked; it is kept as sent")
        total = partial.begin(response)
        _check_size(total or 0, order)
        progress = _Ticker(self._events, order.what, total)
        async for chunk in response.aiter_raw():
            partial.write(chunk)
            _check_size(partial.size, order)
            progress.tick(partial.size)
        progress.end(partial.size)
        if total is not None and partial.size != total:
            raise TransientError(f"{partial.size} of {total} bytes came")
        if partial.parts > 1 and not _matches(partial, order):
            partial.restart()
            raise TransientError("the parts of the file do not fit together")

    async def _copy(self, source: Path, partial: PartialFile, order: Order) -> None:
        try:
            status = source.stat()
            if not stat.S_ISREG(status.st_mode):
                raise DownloadError(f"{source} is not a file", target=order.shown)
            _check_size(status.st_size, order)
            progress = _Ticker(self._events, order.what, status.st_size)
            with source.open("rb") as file:
                while chunk := await asyncio.to_thread(file.read, CHUNK):
                    partial.write(chunk)
                    progress.tick(partial.size)
                progress.end(partial.size)
        except OSError as error:
            raise DownloadError(
                f"{order.what}: {source} cannot be read: {error.strerror}",
                target=order.shown,
                hint="put the file there, or correct the mirror in vmwright.toml"
                if order.location.mirror
                else None,
            ) from None


class _Ticker:
    """Says how far a transfer is, a few times a second."""

    def __init__(self, events: Events, what: str, total: int | None) -> None:
        self._events = events
        self._what = what
        self._total = total
        self._next = 0.0

    def tick(self, done: int) -> None:
        if (now := time.monotonic()) >= self._next:
            self._next = now + PROGRESS_SECONDS
            self.end(done)

    def end(self, done: int) -> None:
        self._events.say(Progress(what=self._what, done=done, total=self._total))


def _next_hop(url: httpx2.URL, location: str, order: Order) -> httpx2.URL:
    try:
        following = url.join(location)
    except httpx2.InvalidURL:
        raise DownloadError(f"{urls.shown(url)} redirects to what is no URL", target=order.shown) from None
    if following.scheme not in urls.NETWORK_SCHEMES or (url.scheme, following.scheme) == ("https", "http"):
        raise DownloadError(
            f"{urls.shown(url)} redirects to {urls.shown(following)}, which is not followed",
            target=order.shown,
            hint="redirects from https must stay on https; use the final URL if you trust it",
        )
    return following


def _check_size(size: int, order: Order) -> None:
    if order.max_bytes is not None and size > order.max_bytes:
        raise DownloadError(
            f"{order.what} from {order.shown} is larger than the {order.max_bytes} bytes that it may have",
            target=order.shown,
        )


def _matches(partial: PartialFile, order: Order) -> bool:
    return order.digest in {None, partial.digest}


def _verify(partial: PartialFile, order: Order) -> None:
    if _matches(partial, order):
        return
    raise DownloadError(
        f"{order.what} from {order.shown} ({partial.size} bytes) has the "
        f"{SPOKEN[order.algorithm]} {partial.digest}, not {order.digest}",
        target=order.shown,
        hint="the file has changed or is not the one meant; if it is right, correct the checksum",
    )


def _mirror_hint(url: httpx2.URL) -> str:
    prefix = f"{url.scheme}://{url.netloc.decode('ascii')}/"
    return (
        "check this host's network; where it has no way out, name a mirror in vmwright.toml: "
        f'mirrors = {{ "{prefix}" = "file:///srv/mirror/" }}'
    )
