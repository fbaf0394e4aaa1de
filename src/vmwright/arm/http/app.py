"""The ASGI application: a request becomes a call, its answer a response; errors have ARM's envelope."""

from __future__ import annotations

import asyncio
import json
import re
import uuid
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qsl, quote

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from vmwright.arm.http.answer import Answer
from vmwright.arm.http.call import Call
from vmwright.arm.http.errors import ENVELOPE_SINCE, ArmError, foreseen
from vmwright.arm.http.routing import split
from vmwright.errors import VmwrightError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.types import Receive, Scope, Send

    from vmwright.arm.access.principal import Principal
    from vmwright.arm.http.routing import Route, Router

MOST_BODY_BYTES = 4 << 20
# Of those who need not say who they are: forms, which have a bound of their own (identity/oauth.py).
MOST_OPEN_BYTES = 128 << 10
MOST_DIGITS = 20
BODY_SECONDS = 30.0
HOST = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,255})(:[0-9]{1,5})?")
IMAGE_BUILDER = "microsoft.virtualmachineimages"
IN_HEADERS = "".join(map(chr, range(0x20, 0x7F)))
EVERY_ANSWER = {
    "Cache-Control": "no-cache",
    "Pragma": "no-cache",
    "Expires": "-1",
    "X-Content-Type-Options": "nosniff",
}


class Gate(Protocol):
    """Lets callers in: ``access/gate.py``."""

    async def admit(self, route: Route, method: str, parts: tuple[str, ...], authorization: str) -> Principal:
        """Return who calls.

        :param authorization: the header of that name, "" without one.
        :raises ArmError: the token is not valid (401), or its bearer may not do this here (403).
        """

    async def shown(
        self, route: Route, principal: Principal, method: str, parts: tuple[str, ...], answer: Answer
    ) -> Answer:
        """Return an answer as its caller may see it: a list without what it may not read.

        :raises ArmError: nothing of it may be shown (403).
        """


class Rules(Protocol):
    """What ARM refuses whatever the provider: ``rules.py``."""

    def check(self, parts: Sequence[str], api_version: str) -> None:
        """Check a request of somebody who has been let in.

        :raises ArmError: it is refused.
        """


class Arm:
    """ARM over HTTP, as an ASGI application.

    Whoever wraps it finds the ``Route`` of a request in ``scope["route"]``, and in ``scope["user"]`` the
    ``Principal`` who was let in.

    :param rules: what every request with a token is checked by.
    :param body_seconds: how long a request's body may take to arrive.
    """

    def __init__(
        self,
        router: Router,
        gate: Gate,
        *,
        rules: Rules | None = None,
        body_seconds: float = BODY_SECONDS,
    ) -> None:
        self._router = router
        self._gate = gate
        self._rules = rules
        self._body_seconds = body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; nothing that a client sends makes this raise.

        An error that nobody foresaw is answered, too, and then raised, so that the server's log has it.
        """
        request = Request(scope, receive)
        ids = _ids(request)
        try:
            answer = await self._answer(request, ids)
        except ClientDisconnect:
            return
        except ArmError as error:
            answer = _refusal(error, request)
        except VmwrightError as error:
            answer = _refusal(foreseen(error), request)
        except Exception:
            await _response(_refusal(_unforeseen(ids), request), ids)(scope, receive, send)
            raise
        await _response(answer, ids)(scope, receive, send)

    async def _answer(self, request: Request, ids: Mapping[str, str]) -> Answer:
        # what is not ASCII becomes what no path may have
        parts = split(request.scope["raw_path"].decode("ascii", "surrogateescape"))
        base_url = _base_url(request)
        match = self._router.match(request.method, parts)
        request.scope["route"] = match.route
        principal = await self._gate.admit(
            match.route, request.method, parts, request.headers.get("authorization", "")
        )
        request.scope["user"] = principal
        query = _query(request)
        api_version = query.get("api-version", "")
        if self._rules and not match.route.is_open:
            self._rules.check(parts, api_version)
        answer = await match.route.handler(
            Call(
                method=request.method,
                path="/" + "/".join(parts),
                names=match.names,
                query=query,
                headers=dict(request.headers),
                body=await self._body(request, MOST_OPEN_BYTES if match.route.is_open else MOST_BODY_BYTES),
                base_url=base_url,
                request_id=ids["x-ms-request-id"],
                correlation_id=ids["x-ms-correlation-request-id"],
                principal=principal,
                api_version=api_version,
            )
        )
        return await self._gate.shown(match.route, principal, request.method, parts, answer)

    async def _body(self, request: Request, most_bytes: int) -> bytes:
        try:
            async with asyncio.timeout(self._body_seconds):
                return await _body(request, most_bytes)
        except TimeoutError:
            raise ArmError(
                408,
                "RequestTimeout",
                f"The request's body has not arrived within {self._body_seconds:.0f} s.",
                headers={"Connection": "close"},
                is_gateways=True,
            ) from None


async def _body(request: Request, most_bytes: int) -> bytes:
    """Read a request's body, up to a bound."""
    declared = request.headers.get("content-length", "0")
    body = bytearray()
    if not declared.isdecimal() or int(declared[:MOST_DIGITS]) <= most_bytes:
        async for chunk in request.stream():
            body += chunk
            if len(body) > most_bytes:
                break
        else:
            return bytes(body)
    raise ArmError(
        413,
        "RequestEntityTooLarge",
        f"The request's body is larger than {most_bytes >> 10} KiB.",
        headers={"Connection": "close"},
        is_gateways=True,
    )


def _base_url(request: Request) -> str:
    """Return how the client reached the service, which the addresses to poll begin with.

    :raises ArmError: its ``Host`` is none.
    """
    host = request.headers.get("host", "")
    if not HOST.fullmatch(host):
        raise ArmError(400, "InvalidHostName", "The request's Host is no name of a host.", is_gateways=True)
    return f"{request.scope['scheme']}://{host}"


def _query(request: Request) -> dict[str, str]:
    """Return the query's parameters by their names in lower case; of several of a name the last."""
    text = request.scope["query_string"].decode("latin-1")
    return {name.lower(): value for name, value in parse_qsl(text, keep_blank_values=True)}


def _ids(request: Request) -> dict[str, str]:
    request_id = str(uuid.uuid4())
    given = request.headers.get("x-ms-correlation-request-id", "")
    ids = {"x-ms-request-id": request_id, "x-ms-correlation-request-id": _uuid(given) or request_id}
    if client := _uuid(request.headers.get("x-ms-client-request-id", "")):
        ids["x-ms-client-request-id"] = client
    return ids


def _uuid(text: str) -> str:
    """Return an id that is one: what a client sends goes into headers and logs."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return ""


def _refusal(error: ArmError, request: Request) -> Answer:
    version = _query(request).get("api-version", "")
    # the last provider counts: roles are assigned to resources of others
    provider = request.scope["path"].lower().rpartition("/providers/")[2].lstrip("/")
    is_flat = provider.startswith(f"{IMAGE_BUILDER}/") and "" < version < ENVELOPE_SINCE
    headers = {"x-ms-failure-cause": "gateway"} if error.is_gateways else {}
    return Answer(
        status=error.status, body=error.document(is_flat=is_flat), headers={**headers, **error.headers}
    )


def _unforeseen(ids: Mapping[str, str]) -> ArmError:
    return ArmError(
        500,
        "InternalServerError",
        f"The request {ids['x-ms-request-id']} has failed for a reason that the service's own log tells.",
        is_gateways=True,
    )


def _response(answer: Answer, ids: Mapping[str, str]) -> Response:
    given = {**EVERY_ANSWER, **ids, **answer.headers}
    # names that clients have chosen may stand in addresses: a header is one line of ASCII
    headers = {name: quote(value, safe=IN_HEADERS) for name, value in given.items()}
    if answer.body is None:
        return Response(status_code=answer.status, headers=headers)
    if isinstance(answer.body, bytes):
        return Response(answer.body, status_code=answer.status, headers=headers)
    if hasattr(answer.body, "__aiter__"):
        return StreamingResponse(answer.body, status_code=answer.status, headers=headers)
    body = json.dumps(answer.body, ensure_ascii=False, separators=(",", ":")).encode()
    media_type = headers.pop("Content-Type", "application/json; charset=utf-8")
    return Response(body, status_code=answer.status, headers=headers, media_type=media_type)
