"""Who may do something in one group does nothing in another, on whatever way: each route is tried."""

from __future__ import annotations

import re

import pytest

from tests.component.arm.abuse.conftest import BUILDER_VERSION, House, Somebody
from vmwright.arm.access.roles import CONTRIBUTOR, OWNER, READER, Role
from vmwright.arm.contract.publishing import described
from vmwright.arm.http.routing import Route

PLACE = re.compile(r"\{(\w+)\}")
BUILDER = "Microsoft.VirtualMachineImages"
# What the body says decides which principals are shown; it is a read, whatever its method.
READS = {"/graph/v1.0/directoryObjects/getByIds"}
TEMPLATE = {
    "location": "westus",
    "identity": {"type": "None"},
    "properties": {
        "source": {"type": "PlatformImage", "publisher": "p", "offer": "o", "sku": "s", "version": "1.0.0"},
        "distribute": [{"type": "VHD", "runOutputName": "disk"}],
    },
}
# nothing here is the database's
pytestmark = pytest.mark.parametrize("database_settings", ["sqlite"], indirect=True)


def closed(house: House) -> list[Route]:
    return [route for route in house.assembled.routes if not route.is_open]


def path_of(house: House, route: Route, *, group: str = "b") -> str:
    """Return a path of a route to what is in a group."""
    there = {
        "subscription": house.subscription.rpartition("/")[2],
        "group": group,
        "namespace": BUILDER,
        "type0": "imageTemplates",
        "location": "westus",
        "id": "9f4bd1ab-4d94-4d4e-8d0b-c9a5a0a7b7c1",
    }
    return PLACE.sub(lambda place: there.get(place[1], "thing"), route.pattern)


async def ask(somebody: Somebody, route: Route, path: str) -> tuple[int, str]:
    version = BUILDER_VERSION if f"/{BUILDER}/" in path else "2022-04-01"
    body: object = {} if route.method in {"PUT", "PATCH", "POST"} else None
    answer = await somebody.ask(route.method, path, body, version=version)
    return answer.status_code, answer.text


async def furnished(house: House) -> None:
    """Put something into the other group."""
    await house.identity(house.b, "thing")
    template = f"{house.b}/providers/{BUILDER}/imageTemplates/thing"
    made = await house.owner.ask("PUT", template, TEMPLATE, version=BUILDER_VERSION)
    assert made.status_code == 201, made.text
    await house.assembled.background.idle()


def shows_nothing(route: Route, path: str, text: str) -> bool:
    """Whether an answer names nothing of the other group; the directory is for all, as Entra ID's is."""
    return route.pattern.startswith("/graph/") or "resourcegroups/b" not in text.replace(path, "").lower()


async def test_all_that_is_not_open_wants_a_token(house: House) -> None:
    assert len(closed(house)) > 100
    for route in closed(house):
        answer = await house.http.request(route.method, f"{path_of(house, route)}?api-version=2022-04-01")
        assert answer.status_code == 401, route


async def test_the_owner_of_a_group_does_nothing_in_another_one(house: House) -> None:
    await furnished(house)
    intruder = await house.with_role(OWNER, house.a)
    for route in closed(house):
        path = path_of(house, route)
        status, text = await ask(intruder, route, path)
        if "{group}" in route.pattern:
            assert status == 403, (route, status, text)
        else:
            assert shows_nothing(route, path, text) or status == 403, (route, text)


async def test_a_reader_of_the_subscription_changes_nothing(house: House) -> None:
    await furnished(house)
    reader = await house.with_role(READER, house.subscription)
    for route in closed(house):
        if route.method in {"GET", "HEAD"} or route.pattern in READS:
            continue
        status, text = await ask(reader, route, path_of(house, route))
        assert status == 403, (route, status, text)


async def test_who_has_no_role_reads_no_more_than_that_there_is_a_service(house: House) -> None:
    await furnished(house)
    nobody = await house.with_role(READER, house.a)
    given = await house.owner.ask("GET", f"{house.a}/providers/Microsoft.Authorization/roleAssignments")
    own = next(one for one in given.json()["value"] if one["properties"]["principalId"] == nobody.id)
    assert (await house.owner.ask("DELETE", own["id"])).status_code == 200
    for route in closed(house):
        path = path_of(house, route)
        status, text = await ask(nobody, route, path)
        assert status in {403, 404} or shows_nothing(route, path, text), (route, status, text)


async def test_a_contributor_gives_nobody_a_role_at_any_scope(house: House) -> None:
    contributor = await house.with_role(CONTRIBUTOR, house.subscription)
    for operation in described():
        if operation.method in {"PUT", "DELETE"} and "/Microsoft.Authorization/" in operation.pattern:
            route = next(one for one in closed(house) if (one.method, one.pattern) == operation.key)
            assert (await ask(contributor, route, path_of(house, route, group="a")))[0] == 403


@pytest.mark.parametrize("role", [OWNER, CONTRIBUTOR, READER])
async def test_the_token_of_who_is_removed_is_none(house: House, role: Role) -> None:
    somebody = await house.with_role(role, house.subscription)
    assert (await somebody.ask("GET", house.a)).status_code == 200
    assert house.assembled.identity.principals.remove(somebody.id)
    assert (await somebody.ask("GET", house.a)).status_code == 401


def tricks(house: House) -> list[str]:
    """Paths that a careless service takes for the other group's."""
    a, b = house.a, "resourceGroups/b"
    names = (
        "..",
        "%2e%2e",
        ".%2E",
        "%252e%252e",
        "..%2f",
        "..;",
        "..%00",
        "%c0%ae%c0%ae",
        "%ff",
        "..\\",
        "%5c..",
    )
    thing = f"providers/{BUILDER}/imageTemplates/thing"
    return [
        *(f"{a}/{name}/b/{thing}" for name in names),
        *(f"{a}/{name}/{name}/{b}/{thing}" for name in names),
        f"{a}%2f..%2fb/{thing}",
        f"{a}%252f..%252fb/{thing}",
        f"{a}%00/../b",
        f"{a}/..;/b",
        f"{a}\\..\\b",
        f"{house.subscription}//{b}/{thing}/",
        f"{house.subscription}/RESOURCEGROUPS/B/{thing.upper()}",
        f"{house.subscription}/re%C5%BFourceGroups/b/{thing}",
        f"{house.subscription}/resourceGroups/b%20/{thing}",
        f"{house.subscription}/resourceGroups/%EF%BD%82/{thing}",
        f"{house.subscription}/resourceGroups/b%E2%80%8B/{thing}",
        f"{a}/providers/{BUILDER}/imageTemplates/x/providers/{BUILDER}/imageTemplates/thing",
        f"{a}/{b}/{thing}",
        f"{a}/providers/{b}/{thing}",
        f"{a}/providers/providers/{thing}/{b}",
        f"/{'a/' * 2000}{b}",
        f"{house.subscription}/resourceGroups/{'b' * 50_000}",
        f"{house.subscription}/resourceGroups/%F0%9F%92%A3/{thing}",
        f"https://localhost:8443{house.b}/{thing}",
    ]


async def test_no_path_leads_from_one_group_into_another(house: House) -> None:
    await furnished(house)
    intruder = await house.with_role(OWNER, house.a)
    headers = [(b"authorization", f"Bearer {intruder.token}".encode()), (b"host", b"localhost:8443")]
    for path in tricks(house):
        for method in ("GET", "PUT", "DELETE", "HEAD", "POST"):
            status, body = await raw(house, method, path, headers)
            assert status in {400, 403, 404, 405}, (method, path, status, body)
    kept = await house.owner.ask(
        "GET", f"{house.b}/providers/{BUILDER}/imageTemplates/thing", version=BUILDER_VERSION
    )
    assert kept.status_code == 200


async def raw(
    house: House, method: str, target: str, headers: list[tuple[bytes, bytes]]
) -> tuple[int, bytes]:
    """Ask as a server does that passes on what it gets."""
    path, _, query = target.encode().partition(b"?")
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": b"{}", "more_body": False}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": method,
        "scheme": "https",
        "path": path.decode("latin-1"),
        "raw_path": path,
        "query_string": query or b"api-version=2022-07-01",
        "headers": headers,
    }
    await house.assembled.app(scope, receive, send)  # type: ignore[arg-type]
    status, body = sent[0]["status"], sent[1].get("body", b"")
    assert isinstance(status, int)
    assert isinstance(body, bytes)
    return status, body


QUERIES = [
    "api-version=2022-07-01&api-version=../..",
    "api-version=2022-07-01%00",
    "api-version[]=2022-07-01",
    "api-version=%EF%BC%92022-07-01",
    "api-version=2022-07-01&" + "&".join(f"a{n}={n}" for n in range(5000)),
    "api-version=2022-07-01&$filter=" + "(" * 5000,
    "api-version=2022-07-01&$filter=" + "'" * 5001,
    "api-version=2022-07-01&$filter=tagName eq 'a' and " * 200,
    "api-version=2022-07-01&$top=-1",
    "api-version=2022-07-01&$top=" + "9" * 5000,
    "api-version=2022-07-01&$top=%EF%BC%91",
    "api-version=2022-07-01&$skiptoken=" + "A" * 5000,
    "api-version=2022-07-01&$skiptoken=AA==",
    "api-version=2022-07-01&$skipToken=L3N1YnNjcmlwdGlvbnMvAA==",
    "api-version=2022-07-01&$expand=__class__",
    "&&&;;;===",
    "%",
]


async def test_no_query_is_a_servers_error(house: House) -> None:
    headers = [(b"authorization", f"Bearer {house.owner.token}".encode()), (b"host", b"localhost:8443")]
    lists = [
        f"{house.subscription}/resourceGroups",
        f"{house.subscription}/resources",
        f"{house.subscription}/providers/{BUILDER}/imageTemplates",
        f"{house.subscription}/providers/Microsoft.Authorization/roleAssignments",
        f"{house.subscription}/providers/Microsoft.Authorization/roleDefinitions",
        "/graph/v1.0/servicePrincipals",
    ]
    for path in lists:
        for query in QUERIES:
            status, body = await raw(house, "GET", f"{path}?{query}", headers)
            assert status in {200, 400, 404}, (path, query[:100], status, body[:300])


HEADERS: list[tuple[bytes, bytes]] = [
    (b"x-forwarded-host", b"evil.example"),
    (b"x-forwarded-proto", b"http"),
    (b"x-forwarded-for", b"127.0.0.1"),
    (b"forwarded", b"host=evil.example;proto=http"),
    (b"x-original-url", b"/subscriptions"),
    (b"x-rewrite-url", b"/subscriptions"),
    (b"x-http-method-override", b"DELETE"),
    (b"x-ms-client-principal-id", b"owner"),
    (b"x-ms-correlation-request-id", b"x\r\nSet-Cookie: a=b"),
]


@pytest.mark.parametrize("header", HEADERS, ids=lambda header: header[0].decode())
async def test_no_header_makes_another_request_of_it(house: House, header: tuple[bytes, bytes]) -> None:
    headers = [
        (b"authorization", f"Bearer {house.owner.token}".encode()),
        (b"host", b"localhost:8443"),
        header,
    ]
    status, body = await raw(house, "GET", f"{house.a}?api-version=2022-07-01", headers)
    assert (status, b'"name":"a"' in body) == (200, True)
    status, body = await raw(house, "GET", "/metadata/endpoints?api-version=2022-09-01", headers[1:])
    assert b"evil" not in body
    assert b'"https://localhost:8443"' in body
    assert (await raw(house, "GET", f"{house.a}?api-version=2022-07-01", headers[1:]))[0] == 401
