"""The instance metadata service (IMDS): what a guest may know of its virtual machine, and its tokens.

Documents, rules of requests and errors follow Microsoft Learn, "Azure Instance Metadata Service"; what agents
need of them was measured (windows.md §6).
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from vmwright.machines.azure.imds_document import API_VERSIONS, Value, instance_document
from vmwright.machines.azure.tokens import TokenError, Tokens

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from vmwright.machines.azure.instance import Instance

PORT = 80
VERSION = re.compile(r"20\d\d-\d\d-\d\d")
INDEX = re.compile(r"[0-9]{1,4}")

NO_HEADER = "Bad request. Required metadata header not specified"
NO_VERSION = (
    "Bad request. api-version is invalid or was not specified in the request. "
    "For more information refer to aka.ms/azureimds"
)
FORWARDED = "Bad request. Requests must not contain an X-Forwarded-For header"
LEAF_AS_JSON = "Bad request. A leaf of the document is given as text: use format=text"
NOT_FOUND = "Not found"


def imds(instance: Instance, tokens: Tokens) -> Starlette:
    """Return the metadata service of one guest."""
    document = instance_document(instance)

    async def give_instance(request: Request) -> Response:
        if error := _wrong_version(request):
            return error
        names = [name for name in request.path_params.get("path", "").split("/") if name]
        found = _descend(document, names)
        if found is None:
            return _error(HTTPStatus.NOT_FOUND, NOT_FOUND)
        if request.query_params.get("format", "json").lower() == "text":
            return PlainTextResponse(_as_text(found))
        if isinstance(found, str):
            return _error(HTTPStatus.BAD_REQUEST, LEAF_AS_JSON)
        return JSONResponse(found)

    async def give_versions(_request: Request) -> Response:
        return JSONResponse({"apiVersions": list(API_VERSIONS)})

    async def give_token(request: Request) -> Response:
        if error := _wrong_version(request):
            return error
        try:
            return JSONResponse(await tokens.answer(request.query_params))
        except TokenError as refused:
            return JSONResponse(refused.document, status_code=refused.status)

    return Starlette(
        routes=[
            Route("/metadata/instance", _guarded(give_instance)),
            Route("/metadata/instance/{path:path}", _guarded(give_instance)),
            Route("/metadata/versions", _guarded(give_versions)),
            Route("/metadata/identity/oauth2/token", _guarded(give_token)),
        ],
        exception_handlers={HTTPStatus.NOT_FOUND: _nothing_there},
    )


def _guarded(give: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Refuse what a program may have been tricked into sending: the header is what a browser cannot add."""

    async def guarded(request: Request) -> Response:
        if request.headers.get("metadata", "").lower() != "true":
            return _error(HTTPStatus.BAD_REQUEST, NO_HEADER)
        if "x-forwarded-for" in request.headers:
            return _error(HTTPStatus.BAD_REQUEST, FORWARDED)
        return await give(request)

    return guarded


def _wrong_version(request: Request) -> Response | None:
    """Refuse a request without an api-version; every one there has been is answered alike."""
    if VERSION.fullmatch(request.query_params.get("api-version", "")):
        return None
    document = {"error": NO_VERSION, "newest-versions": list(API_VERSIONS[-3:])}
    return JSONResponse(document, status_code=HTTPStatus.BAD_REQUEST)


async def _nothing_there(_request: Request, _reason: Exception) -> Response:
    return _error(HTTPStatus.NOT_FOUND, NOT_FOUND)


def _error(status: HTTPStatus, text: str) -> Response:
    return JSONResponse({"error": text}, status_code=status)


def _descend(value: Value, names: list[str]) -> Value | None:
    """Return what stands at a path of the document, whose names are matched in any case."""
    for name in names:
        if isinstance(value, dict):
            value = next((held for key, held in value.items() if key.lower() == name.lower()), None)
        elif isinstance(value, list) and INDEX.fullmatch(name) and int(name) < len(value):
            value = value[int(name)]
        else:
            return None
    return value


def _as_text(value: Value) -> str:
    """Return a leaf itself, or the names below a node, a line each: with a slash where more is below."""
    if isinstance(value, dict):
        return "\n".join(name if isinstance(held, str) else f"{name}/" for name, held in value.items())
    if isinstance(value, list):
        return "\n".join(f"{number}/" for number in range(len(value)))
    return value or ""
