"""What clients send that is not as it should be: refused with ARM's envelope, never a server's error."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.component.arm.asking import HOST, OpenGate, arm_of, asking
from vmwright.arm.http.answer import Answer, ok
from vmwright.arm.http.app import MOST_BODY_BYTES, MOST_OPEN_BYTES, Arm
from vmwright.arm.http.call import Call
from vmwright.arm.http.routing import Route, Router
from vmwright.errors import UnsupportedError, VmwrightError

THING = "/things/{name}"


async def echo(call: Call) -> Answer:
    return ok(
        {
            "name": call.names["name"],
            "path": call.path,
            "query": dict(call.query),
            "body": call.document(),
            "base": call.base_url,
        }
    )


ECHO = arm_of(
    [Route(method="PUT", pattern=THING, handler=echo), Route(method="GET", pattern=THING, handler=echo)]
)


async def put(body: bytes, **headers: str) -> tuple[int, Any]:
    async with asking(ECHO) as client:
        answer = await client.put("/things/a", content=body, headers=headers)
        return answer.status_code, answer.json()


@pytest.mark.parametrize(
    "body",
    [
        b"[1]",
        b'"text"',
        b"{",
        b"nonsense",
        b'{"a": "\xff"}',
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1e999}',
        b'{"tags": {"half": "\\ud800"}}',
        b'{"tags": {"null": "a\\u0000"}}',
        b'{"null \\u0000": 1}',
        b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a": ' + b"[" * 100 + b"]" * 100 + b"}",
        b'{"a": ' * 101 + b"1" + b"}" * 101,
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
    ids=[
        "a list",
        "a text",
        "broken off",
        "no JSON",
        "no UTF-8",
        "NaN",
        "Infinity",
        "a float without end",
        "half a character",
        "a null character",
        "a null character in a name",
        "deep",
        "lists a level too deep",
        "objects a level too deep",
        "a long number",
    ],
)
async def test_a_body_that_is_no_json_object_is_refused(body: bytes) -> None:
    status, document = await put(body)
    assert status == 400
    assert document["error"]["code"] == "InvalidRequestContent"
    assert document["error"]["message"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
async def test_a_body_in_another_encoding_is_read(encoding: str) -> None:
    status, document = await put(json.dumps({"name": "Köln"}, ensure_ascii=False).encode(encoding))
    assert (status, document["body"]) == (200, {"name": "Köln"})


async def test_a_body_may_be_as_deep_as_any_resource_and_more() -> None:
    assert (await put(b'{"a": ' + b"[" * 99 + b"]" * 99 + b"}"))[0] == 200


async def test_what_only_looks_like_a_null_character_is_text() -> None:
    script = r"printf '\u0000' \\u0000"
    assert (await put(json.dumps({"inline": [script]}).encode()))[1]["body"] == {"inline": [script]}


async def test_a_header_of_an_answer_is_one_line_of_ascii_whatever_a_client_has_named() -> None:
    async def created(call: Call) -> Answer:
        return Answer(status=201, headers={"Location": "/things/Köln\r\nSet-Cookie: a=b"})

    async with asking(arm_of([Route(method="GET", pattern="/created", handler=created)])) as client:
        answer = await client.get("/created")
    assert answer.headers["location"] == "/things/K%C3%B6ln%0D%0ASet-Cookie: a=b"


async def test_an_empty_body_is_an_empty_object() -> None:
    assert (await put(b" \r\n"))[1]["body"] == {}


async def test_a_body_that_is_too_large_is_refused_by_what_it_says_and_by_what_it_is() -> None:
    assert (await put(b"{}", **{"content-length": "9" * 5000}))[0] == 413
    assert (await put(b" " * (MOST_BODY_BYTES + 1), **{"content-length": "1"}))[0] == 413


async def test_who_need_not_say_who_they_are_send_forms_only() -> None:
    arm = arm_of([Route(method="POST", pattern="/login", handler=small, is_open=True)])
    async with asking(arm) as client:
        assert (await client.post("/login", content=b" " * MOST_OPEN_BYTES)).status_code == 200
        assert (await client.post("/login", content=b" " * (MOST_OPEN_BYTES + 1))).status_code == 413


async def small(call: Call) -> Answer:
    return ok({"length": len(call.body)})


async def test_a_body_that_does_not_arrive_ends_the_request() -> None:
    arm = Arm(Router([Route(method="PUT", pattern=THING, handler=echo)]), OpenGate(), body_seconds=0)
    sent: list[Any] = []

    async def never() -> Any:
        await asyncio.Event().wait()

    async def send(message: Any) -> None:
        sent.append(message)

    await arm(scope("PUT", b"/things/a"), never, send)
    assert sent[0]["status"] == 408
    assert json.loads(sent[1]["body"])["error"]["code"] == "RequestTimeout"


def scope(
    method: str, raw_path: bytes, query: bytes = b"", host: bytes = b"localhost:8443"
) -> dict[str, Any]:
    return {
        "type": "http",
        "method": method,
        "scheme": "https",
        "path": raw_path.decode("latin-1"),
        "raw_path": raw_path,
        "query_string": query,
        "headers": [(b"host", host)],
    }


async def ask(arm: Arm, scope: dict[str, Any]) -> tuple[int, Any]:
    """Ask as a server does that does not look at what it passes on."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await arm(scope, receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"])


@pytest.mark.parametrize(
    "path",
    [
        b"/things/%FF",
        b"/things/\xff",
        b"/things/%C0%AF",
        b"/things/..",
        b"/things/%2e%2e",
        b"/things/a%2Fb",
        b"/things/%00",
    ],
)
async def test_a_path_that_is_none_is_refused(path: bytes) -> None:
    status, document = await ask(ECHO, scope("GET", path))
    assert (status, document["error"]["code"]) == (400, "InvalidUri")


async def test_what_is_encoded_in_a_path_stays_in_its_part() -> None:
    _, document = await ask(ECHO, scope("GET", b"/things/K%C3%B6ln%20%3Fapi-version=x%23"))
    assert document["name"] == "Köln ?api-version=x#"
    assert document["query"] == {}


@pytest.mark.parametrize("host", [b"", b"a b", b"[", b"host:port", b"evil/..", b"h\xf6st", b"a@b"])
async def test_a_host_that_is_none_is_refused(host: bytes) -> None:
    status, document = await ask(ECHO, scope("GET", b"/things/a", host=host))
    assert (status, document["error"]["code"]) == (400, "InvalidHostName")


@pytest.mark.parametrize("host", ["localhost:8443", "127.0.0.1", "[::1]:8443", "build-farm.example"])
async def test_addresses_are_those_that_the_client_has_reached(host: str) -> None:
    _, document = await ask(ECHO, scope("GET", b"/things/a", host=host.encode()))
    assert document["base"] == f"https://{host}"


async def test_of_a_parameter_given_twice_the_last_counts_in_any_case() -> None:
    _, document = await ask(
        ECHO, scope("GET", b"/things/a", b"API-Version=1&x=%zz&api-version=2&&=&\xff=\xfe")
    )
    assert document["query"]["api-version"] == "2"
    assert document["query"]["x"] == "%zz"


async def test_head_is_answered_as_get_is_and_other_methods_are_named() -> None:
    async with asking(ECHO) as client:
        assert (await client.head("/things/a")).status_code == 200
        refused = await client.delete("/things/a")
    assert refused.status_code == 405
    assert refused.headers["allow"] == "GET, PUT"
    assert refused.headers["x-ms-failure-cause"] == "gateway"


async def test_errors_of_the_rooms_below_say_what_to_do() -> None:
    async def away(call: Call) -> Answer:
        raise VmwrightError("The database cannot be used", hint="start it")

    async def cannot(call: Call) -> Answer:
        raise UnsupportedError("There is no KVM", target="properties.vmProfile")

    arm = arm_of(
        [
            Route(method="GET", pattern="/away", handler=away),
            Route(method="GET", pattern="/cannot", handler=cannot),
        ]
    )
    assert await ask(arm, scope("GET", b"/away")) == (
        503,
        {"error": {"code": "InternalOperationError", "message": "The database cannot be used (start it)"}},
    )
    status, document = await ask(arm, scope("GET", b"/cannot"))
    assert (status, document["error"]["target"]) == (400, "properties.vmProfile")


async def test_an_error_that_nobody_foresaw_is_answered_without_its_text_and_then_raised() -> None:
    async def broken(call: Call) -> Answer:
        raise RuntimeError("the password is hunter2")

    arm = arm_of([Route(method="GET", pattern="/broken", handler=broken)])
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    with pytest.raises(RuntimeError):
        await arm(scope("GET", b"/broken"), receive, send)
    assert sent[0]["status"] == 500
    assert b"hunter2" not in sent[1]["body"]


async def test_every_answer_has_arms_headers_and_the_ids_of_the_client() -> None:
    given = "0F8FAD5B-D9CB-469F-A165-70867728950E"
    async with asking(ECHO) as client:
        answer = await client.get(
            "/things/a",
            headers={"x-ms-correlation-request-id": given, "x-ms-client-request-id": "no id\tat all"},
        )
    assert answer.headers["x-ms-correlation-request-id"] == given.lower()
    assert answer.headers["x-ms-request-id"] not in {"", given.lower()}
    assert "x-ms-client-request-id" not in answer.headers
    assert answer.headers["cache-control"] == "no-cache"
    assert str(answer.url).startswith(HOST)


async def test_older_versions_of_the_image_builder_have_errors_without_an_envelope() -> None:
    async def refuse(call: Call) -> Answer:
        raise UnsupportedError("no")

    arm = arm_of([Route(method="GET", pattern="/**", handler=refuse)])
    path = b"/subscriptions/x/providers/Microsoft.VirtualMachineImages/imageTemplates"
    assert (await ask(arm, scope("GET", path, b"API-VERSION=2020-02-14")))[1] == {
        "code": "NotSupported",
        "message": "no",
    }
    assert "error" in (await ask(arm, scope("GET", path, b"api-version=2021-10-01")))[1]


async def test_errors_of_others_about_templates_have_their_envelope() -> None:
    async def refuse(call: Call) -> Answer:
        raise UnsupportedError("no")

    arm = arm_of([Route(method="GET", pattern="/**", handler=refuse)])
    template = b"/subscriptions/x/providers/Microsoft.VirtualMachineImages/imageTemplates/web"
    path = template + b"/providers/Microsoft.Authorization/locks"
    assert "error" in (await ask(arm, scope("GET", path, b"api-version=2016-09-01")))[1]
