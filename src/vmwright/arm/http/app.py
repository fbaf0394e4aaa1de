"""The ASGI application: a request becomes a call, its answer a response; errors have ARM's envelope."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse

from vmwright.arm.http.answer import Answer
from vmwright.arm.http.call import Call
from vmwright.arm.http.errors import ENVELOPE_SINCE, ArmError
from vmwright.arm.http.routing import split

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import Receive, Scope, Send

    from vmwright.arm.access.principal import Principal
    from vmwright.arm.http.routing import Route, Router

MOST_BODY_BYTES = 4 << 20
IMAGE_BUILDER = "microsoft.virtualmachineimages"
EVERY_ANSWER = {
    "Cache-Control": "no-cache",
    "Pragma": "no-cache",
    "Expires": "-1",
    "Strict-Transport-Security": "max-age=31536000; includeSubDomains",
    "X-Content-Type-Options": "nosniff",
}


class Gate(Protocol):
    """Lets callers in: ``access/gate.py``."""

    async def admit(self, route: Route, method: str, parts: tuple[str, ...], authorization: str) -> Principal:
        """Return who calls.

        :param authorization: the header of that name, "" without one.
        :raises ArmError: the token is not valid (401), or its bearer may not do this here (403).
        """


class Arm:
    """ARM over HTTP, as an ASGI application."""

    def __init__(self, router: Router, gate: Gate) -> None:
        self._router = router
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; nothing that a client sends makes this raise."""
        request = Request(scope, receive)
        ids = _ids(request)
        try:
            answer = await self._answer(request, ids)
        except ClientDisconnect:
            return
        except ArmError as error:
            answer = _refusal(error, request)
        response = _response(answer, ids)
        await response(scope, receive, send)

    async def _answer(self, request: Request, ids: Mapping[str, str]) -> Answer:
        parts = split(request.scope["raw_path"].decode("ascii", "replace"))
        match = self._router.match(request.method, parts)
        principal = await self._gate.admit(
            match.route, request.method, parts, request.headers.get("authorization", "")
        )
        query = {name.lower(): value for name, value in parse_qsl(request.url.query, keep_blank_values=True)}
        return await match.route.handler(
            Call(
                method=request.method,
                path="/" + "/".join(parts),
                names=match.names,
                query=query,
                headers=dict(request.headers),
                body=await _body(request),
                base_url=f"{request.url.scheme}://{request.url.netloc}",
                request_id=ids["x-ms-request-id"],
                correlation_id=ids["x-ms-correlation-request-id"],
                principal=principal,
                api_version=query.get("api-version", ""),
            )
        )


async def _body(request: Request) -> bytes:
    """Read a request's body, up to a bound."""
    declared = request.headers.get("content-length", "0")
    body = bytearray()
    if not declared.isdecimal() or int(declared) <= MOST_BODY_BYTES:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MOST_BODY_BYTES:
                break
        else:
            return bytes(body)
    raise ArmError(
        413,
        "RequestEntityTooLarge",
        f"The request's body is larger than {MOST_BODY_BYTES >> 20} MiB.",
        is_gateways=True,
    )


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
    version = request.query_params.get("api-version", "")
    is_flat = IMAGE_BUILDER in request.url.path.lower() and "" < version < ENVELOPE_SINCE
    headers = {"x-ms-failure-cause": "gateway"} if error.is_gateways else {}
    return Answer(
        status=error.status, body=error.document(is_flat=is_flat), headers={**headers, **error.headers}
    )


def _response(answer: Answer, ids: Mapping[str, str]) -> Response:
    headers = {**EVERY_ANSWER, **ids, **answer.headers}
    if answer.body is None:
        return Response(status_code=answer.status, headers=headers)
    if hasattr(answer.body, "__aiter__"):
        return StreamingResponse(answer.body, status_code=answer.status, headers=headers)
    body = json.dumps(answer.body, ensure_ascii=False, separators=(",", ":")).encode()
    media_type = headers.pop("Content-Type", "application/json; charset=utf-8")
    return Response(body, status_code=answer.status, headers=headers, media_type=media_type)
