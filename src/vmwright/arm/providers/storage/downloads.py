"""Blobs over HTTP: with a token of somebody who may read the template, or with a signed address."""

from __future__ import annotations

import asyncio
from email.utils import format_datetime, parsedate_to_datetime
from typing import TYPE_CHECKING

from vmwright.arm import ids
from vmwright.arm.access.actions import Wanted
from vmwright.arm.http.answer import Answer
from vmwright.arm.http.routing import Route
from vmwright.arm.providers.storage import blobs, pages
from vmwright.arm.providers.storage.accounts import ACCOUNT_TYPE, LOGS, OF_TEMPLATE, VHDS
from vmwright.arm.providers.storage.ranges import UnsatisfiableError, part_of
from vmwright.arm.providers.storage.signatures import SIGNATURE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vmwright.arm.access.decisions import Decisions
    from vmwright.arm.access.gate import Authenticator
    from vmwright.arm.http.call import Call
    from vmwright.arm.providers.storage.blobs import Blob
    from vmwright.arm.providers.storage.ranges import Part
    from vmwright.arm.providers.storage.signatures import Signatures
    from vmwright.arm.service import Service
    from vmwright.arm.store import Resource

READ = "Microsoft.VirtualMachineImages/imageTemplates/read"
WHOLE, PARTIAL, NOT_MODIFIED, CHANGED, UNSATISFIABLE = 200, 206, 304, 412, 416


class Downloads:
    """What is in the storage accounts of a service."""

    def __init__(
        self, service: Service, authenticator: Authenticator, decisions: Decisions, signatures: Signatures
    ) -> None:
        self._service = service
        self._authenticator = authenticator
        self._decisions = decisions
        self._signatures = signatures

    def routes(self) -> Iterator[Route]:
        """Give the ways to blobs. They are open: who may pass is decided here, for some have no token."""
        yield Route(method="GET", pattern=f"/{{account}}/{VHDS}/{{name}}", handler=self._vhd, is_open=True)
        yield Route(
            method="GET", pattern=f"/{{account}}/{LOGS}/{{build}}/{{name}}", handler=self._log, is_open=True
        )

    async def _vhd(self, call: Call) -> Answer:
        return await self._download(call, VHDS, call.names["name"])

    async def _log(self, call: Call) -> Answer:
        return await self._download(call, LOGS, f"{call.names['build']}/{call.names['name']}")

    async def _download(self, call: Call, container: str, name: str) -> Answer:
        """Return a blob, or the part of it that is asked for.

        :raises ArmError: who asks may not read it, or there is none.
        """
        account, address = call.names["account"], f"{container}/{name}"
        if SIGNATURE in call.query:
            await asyncio.to_thread(self._signatures.check, call.query, account, container, name)
            template = await asyncio.to_thread(self._template, account, address)
        else:
            principal = await self._authenticator.principal_of(call.headers.get("authorization", ""))
            template = await asyncio.to_thread(self._template, account, address)
            await self._decisions.require(principal, Wanted(READ, template.id.lower()))
        blob = await blobs.find(self._service, template, container, name)
        return await pages.listed(call, blob) if pages.WHAT in call.query else _answer(call, blob)

    def _template(self, account: str, address: str) -> Resource:
        """Return the template that an account is of.

        :raises ArmError: there is no such account (any more).
        """
        store = self._service.store
        found = store.find_named(ACCOUNT_TYPE, account)
        template = store.find(ids.parse(found.body[OF_TEMPLATE])) if found else None
        if template is None:
            raise blobs.missing(f"{account}/{address}")
        return template


def _answer(call: Call, blob: Blob) -> Answer:
    headers = {
        "ETag": blob.etag,
        "Last-Modified": format_datetime(blob.modified_at, usegmt=True),
        "Accept-Ranges": "bytes",
        "x-ms-blob-type": blob.type,
    }
    try:
        status, part = _selected(call, blob)
    except UnsatisfiableError:
        blob.close()
        return Answer(status=UNSATISFIABLE, headers={**headers, "Content-Range": f"bytes */{blob.size}"})
    if status in {NOT_MODIFIED, CHANGED}:
        blob.close()
        return Answer(status=status, headers=headers)
    start, stop = (part.start, part.stop) if part else (0, blob.size)
    if part:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{blob.size}"
    headers["Content-Length"] = str(stop - start)
    headers["Content-Type"] = blob.media_type
    # the names of run outputs have nothing in them that would need quoting
    headers["Content-Disposition"] = f'{"attachment" if blob.is_disk else "inline"}; filename="{blob.name}"'
    if call.method == "HEAD":
        blob.close()
        return Answer(status=status, headers=headers)
    return Answer(status=status, headers=headers, body=blob.read(start, stop))


def _selected(call: Call, blob: Blob) -> tuple[int, Part | None]:
    """Return the status of an answer, and which part of a blob it has; None for all of it.

    :raises UnsatisfiableError: the part that is asked for begins behind the blob's end.
    """
    asked = call.headers
    if "if-match" in asked and not _names(asked["if-match"], blob.etag):
        return CHANGED, None
    if "if-none-match" in asked and _names(asked["if-none-match"], blob.etag):
        return NOT_MODIFIED, None
    # clients of Azure Storage say it in a header of their own, which counts
    wanted = asked.get("x-ms-range") or asked.get("range") or ""
    if not wanted or call.method == "HEAD" or not _is_same(asked.get("if-range"), blob):
        return WHOLE, None
    part = part_of(wanted, blob.size)
    return (PARTIAL if part else WHOLE), part


def _names(given: str, etag: str) -> bool:
    """Whether a list of entity tags has one, or ``*`` for any."""
    return etag in (one.strip().removeprefix("W/") for one in given.split(",")) or given.strip() == "*"


def _is_same(given: str | None, blob: Blob) -> bool:
    """Whether a blob is the one that ``If-Range`` speaks of: by its tag, or when it was changed last."""
    if given is None or given == blob.etag:
        return True
    try:
        return parsedate_to_datetime(given) == blob.modified_at.replace(microsecond=0)
    except (TypeError, ValueError):
        return False
