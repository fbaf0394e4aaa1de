"""A build's logs as a service gives them: for who has a token of it, and nothing else of its host."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
from typing import TYPE_CHECKING, Any

import httpx2

from vmwright.arm.identity import private_files
from vmwright.builds.log import FILE_NAME, VALIDATION
from vmwright.cli.logs import print_log
from vmwright.cli.running import run
from vmwright.errors import TemplateError, VmwrightError
from vmwright.runs.listing import chosen
from vmwright.settings import TOKEN_VARIABLE, load

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

RUNS = "/vmwright/runs"
CA_VARIABLE = "REQUESTS_CA_BUNDLE"
TOKEN_HINT = f"export {TOKEN_VARIABLE}=$(az account get-access-token --query accessToken -o tsv)"
ANSWER_SECONDS = 30.0
# A service that is being started anew is waited for: so often it may not be there.
MOST_FAILURES = 30
AGAIN_SECONDS = 1.0


class RefusedError(VmwrightError):
    """What the service has answered instead; ``reason`` is its code."""

    def __init__(self, reason: str, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


def logs(name: str, url: str, *, follow: bool) -> None:
    """Print a build's logs; with ``follow`` also what comes, until it ends."""
    run(_print_logs(name, url, follow=follow))


async def _print_logs(name: str, url: str, *, follow: bool) -> None:
    async with _client(url) as client:
        build_id = await _find(client, name)
        of_build = (_print(client, build_id, log, follow=follow) for log in (FILE_NAME, VALIDATION))
        await asyncio.gather(*of_build)


def _client(url: str) -> httpx2.AsyncClient:
    """Return a client of a service.

    :raises TemplateError: the address would show the token to others, or there is no token.
    """
    if not url.startswith("https://"):
        raise TemplateError(f"{url} is no address of a service", hint="--url https://localhost:8443")
    token = os.environ.get(TOKEN_VARIABLE)
    if not token:
        raise TemplateError(f"There is no token for {url}", hint=TOKEN_HINT)
    return httpx2.AsyncClient(
        base_url=url,
        headers={"Authorization": f"Bearer {token}"},
        verify=ssl.create_default_context(cafile=_trusted()),
        timeout=httpx2.Timeout(ANSWER_SECONDS),
    )


def _trusted() -> str | None:
    """Return the file with the certificates to trust; None: those of this host."""
    if given := os.environ.get(CA_VARIABLE):
        return given
    own = private_files.folder_of(load()) / "ca.pem"
    return str(own) if own.exists() else None


async def _find(client: httpx2.AsyncClient, name: str) -> str:
    """Return the id of a build by its beginning, or by the build's name.

    :raises VmwrightError: there is none, or the beginning fits several.
    """
    try:
        answer = await client.get(RUNS, params={"run": name})
    except httpx2.TransportError as error:
        raise _away(client, error) from error
    _check(answer.status_code, answer.content)
    found: list[dict[str, Any]] = answer.json()["value"]
    ids = [one["id"] for one in found if one["id"].startswith(name.lower())]
    named = next((one["id"] for one in found if one["name"].lower() == name.lower()), None)
    return chosen(name, ids, named)


async def _print(client: httpx2.AsyncClient, build_id: str, log: str, *, follow: bool) -> None:
    rest = b""
    try:
        async for piece in _pieces(client, build_id, log, follow=follow):
            whole, end, rest = (rest + piece).rpartition(b"\n")
            print_log(whole + end)
    except RefusedError as refused:
        if log == FILE_NAME or refused.reason != "LogNotFound":
            raise
    print_log(rest)


async def _pieces(
    client: httpx2.AsyncClient, build_id: str, log: str, *, follow: bool
) -> AsyncIterator[bytes]:
    """Give a log; where the connection breaks off, from there on again."""
    after, failures = 0, 0
    while True:
        asked: dict[str, str | int] = {"name": log, "after": after, "follow": str(follow).lower()}
        try:
            async with client.stream(
                "GET",
                f"{RUNS}/{build_id}/log",
                params=asked,
                timeout=httpx2.Timeout(ANSWER_SECONDS, read=None),
            ) as answer:
                _check(answer.status_code, b"" if answer.is_success else await answer.aread())
                async for piece in answer.aiter_bytes():
                    after, failures = after + len(piece), 0
                    yield piece
        except httpx2.TransportError as error:
            failures += 1
            if not follow or failures > MOST_FAILURES:
                raise _away(client, error) from error
            await asyncio.sleep(AGAIN_SECONDS)
        else:
            return


def _check(status: int, body: bytes) -> None:
    """Check an answer.

    :raises RefusedError: it is an error, with the service's words.
    """
    if status < httpx2.codes.BAD_REQUEST:
        return
    try:
        error = json.loads(body)["error"]
        reason, message = str(error["code"]), str(error["message"])
    except (ValueError, TypeError, KeyError):
        reason, message = "", f"The service answers with the status {status}"
    raise RefusedError(reason, message, hint=TOKEN_HINT if status == httpx2.codes.UNAUTHORIZED else None)


def _away(client: httpx2.AsyncClient, error: httpx2.TransportError) -> VmwrightError:
    return VmwrightError(
        f"The service at {client.base_url} cannot be reached: {error}",
        hint=f"is `vmwright serve` running, and {CA_VARIABLE} the file that it names?",
    )
