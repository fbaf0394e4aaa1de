"""OpenAPI 3.1, from the routes and what is said of them."""

from __future__ import annotations

import itertools
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from vmwright.arm.contract.operation import LIST, Operation
from vmwright.arm.contract.schemas import SCHEMAS, Schema, listed, reference
from vmwright.arm.contract.template_schema import template_schemas
from vmwright.arm.http.errors import ENVELOPE_SINCE
from vmwright.arm.namespaces import namespaces
from vmwright.arm.rules import API_VERSION, ARMS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vmwright.arm.http.routing import Route

IMAGE_BUILDER = "microsoft.virtualmachineimages"
PLACE = re.compile(r"\{(\w+)\}")
JSON, FORM, HTML = "application/json", "application/x-www-form-urlencoded", "text/html"
# What is no JSON, by the names that answers have for it.
PAGE = "Page"
MEDIA: Mapping[str, str] = {
    PAGE: HTML,
    "Text": "text/plain",
    "EventStream": "text/event-stream",
    "Bytes": "application/octet-stream",
}
ABOUT = """\
Azure's Resource Manager as this service answers it. Paths are matched in any case; of the resource providers
that are not listed here there is nothing. Errors of Microsoft.VirtualMachineImages are flat until 2020-02-14,
and in an object `error` from 2021-10-01 on; those of ARM itself always are. What is accepted with 202, or
made with 201 and an address in Azure-AsyncOperation, is polled there until its status is no longer
InProgress."""
HEADERS: Mapping[str, Schema] = {
    "x-ms-request-id": {"description": "The id of the request, or of its operation."},
    "x-ms-correlation-request-id": {
        "description": "The id that the client has sent, or that of the request."
    },
    "Azure-AsyncOperation": {"description": "Where to poll the operation."},
    "Location": {"description": "Where to poll the operation, or where the resource is."},
    "Retry-After": {"description": "Seconds until the next poll."},
}
IDS = ("x-ms-request-id", "x-ms-correlation-request-id")
POLLS = ("Azure-AsyncOperation", "Location", "Retry-After")


def document(routes: Iterable[Route], described: Iterable[Operation], version: str) -> dict[str, Any]:
    """Return the contract for an api-version of the image builder, one of API_VERSIONS.

    Routes that nobody describes are left out.
    """
    operations = {one.key: one for one in described}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        operation = operations.get((route.method, route.pattern))
        if operation is not None and exists(operation, version):
            path = paths.setdefault(route.pattern, {"parameters": _places(route.pattern)})
            path[route.method.lower()] = _operation(operation, version, is_open=route.is_open)
    return {
        "openapi": "3.1.0",
        "info": {"title": "vmwright", "description": ABOUT, "version": version},
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token of the service's issuer.",
                }
            },
            "headers": {name: {**header, "schema": {"type": "string"}} for name, header in HEADERS.items()},
            "schemas": {**SCHEMAS, **template_schemas(version)},
        },
    }


def exists(operation: Operation, version: str) -> bool:
    """Whether an api-version of the image builder has an operation; others' are not asked for theirs."""
    if not is_image_builders(operation.pattern):
        return True
    _, _, path = operation.pattern.lower().partition(f"/{IMAGE_BUILDER}/")
    kind = namespaces()[IMAGE_BUILDER].find(path.split("/")[::2])
    # as texts: previews have come before what is none
    return (kind is None or version in kind.versions) and operation.since <= version


def is_image_builders(pattern: str) -> bool:
    """Whether a route is Microsoft.VirtualMachineImages' own."""
    return f"/{IMAGE_BUILDER}/" in pattern.lower()


def _operation(operation: Operation, version: str, *, is_open: bool) -> dict[str, Any]:
    is_flat = is_image_builders(operation.pattern) and version < ENVELOPE_SINCE
    found: dict[str, Any] = {
        "summary": operation.about,
        "parameters": list(
            itertools.chain(_api_version(operation, version), map(_optional, operation.query))
        ),
        "responses": {
            **_errors(operation, is_flat=is_flat),
            **{
                str(status): _answer(status, name, is_polled=status in operation.polled)
                for status, name in operation.answered.items()
            },
        },
    }
    if operation.takes:
        kind = FORM if operation.is_form else JSON
        found["requestBody"] = {"required": True, "content": _content(operation.takes, kind)}
    if is_open:
        found["security"] = []
    return found


def _places(pattern: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in PLACE.findall(pattern)
    ]


def _api_version(operation: Operation, version: str) -> Iterable[dict[str, Any]]:
    if operation.pattern.split("/")[1] not in ARMS:
        return
    schema: Schema = {"type": "string", "pattern": f"^{API_VERSION.pattern}$"}
    if is_image_builders(operation.pattern):
        schema = {"type": "string", "enum": [version]}
    yield {"name": "api-version", "in": "query", "required": True, "schema": schema}


def _optional(name: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": {"type": "string"}}


def _answer(status: int, schema: str, *, is_polled: bool) -> dict[str, Any]:
    headers = (*IDS, *POLLS) if is_polled else IDS
    answer: dict[str, Any] = {
        "description": HTTPStatus(status).phrase,
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in headers},
    }
    if schema:
        answer["content"] = _content(schema, MEDIA.get(schema, JSON))
    return answer


def _errors(operation: Operation, *, is_flat: bool) -> dict[str, Any]:
    refused: list[Schema] = [reference("Error")]
    if is_flat:
        refused.append(reference("ErrorDetail"))
    if operation.is_form or "{tenant}" in operation.pattern:
        refused.append(reference("OAuthError"))
    content: dict[str, Any] = {JSON: {"schema": {"anyOf": refused} if len(refused) > 1 else refused[0]}}
    if PAGE in operation.answered.values():
        content |= _content(PAGE, HTML)
    errors = {"4XX": "It is refused.", "503": "What the service stands on cannot be used now."}
    if operation.method == "HEAD":
        return {status: {"description": about} for status, about in errors.items()}
    return {status: {"description": about, "content": content} for status, about in errors.items()}


def _content(schema: str, kind: str) -> dict[str, Any]:
    if schema in MEDIA:
        return {kind: {"schema": {"type": "string"}}}
    name = schema.removesuffix(LIST)
    return {kind: {"schema": listed(name) if schema.endswith(LIST) else reference(name)}}
