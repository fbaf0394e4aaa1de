"""Whose builds somebody sees: those of templates that may be read, and of none with the subscription."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.component.arm.live.conftest import TEMPLATES, Running, S, Somebody
from vmwright.arm import paging

Begin = Callable[..., Running]
Clients = Callable[..., Somebody]
OURS = f"{S}/resourceGroups/ours"
TEMPLATE = f"{OURS}/{TEMPLATES}/Web"


async def names(client: Somebody, query: str = "") -> list[str]:
    answer = await client.get(f"/vmwright/runs{query}")
    assert answer.status_code == 200, answer.text
    return [one["name"] for one in answer.json()["value"]]


async def test_only_builds_of_readable_templates_are_shown(build: Begin, somebody: Clients) -> None:
    theirs = build("theirs", template_id=f"{S}/resourceGroups/theirs/{TEMPLATES}/theirs")
    ours, local = build("ours", template_id=TEMPLATE), build("local")
    of_group, everywhere = somebody("some", OURS), somebody("all")
    assert await names(of_group) == ["ours"]
    assert await names(everywhere) == ["local", "ours", "theirs"]
    for part in ("", "/log", "/events"):
        for hidden in (theirs, local):
            refused = await of_group.get(f"/vmwright/runs/{hidden.id}{part}")
            assert refused.status_code == 403
            assert refused.json()["error"]["code"] == "AuthorizationFailed"
    shown = (await of_group.get(f"/vmwright/runs/{ours.id.upper()}")).json()
    assert (shown["id"], shown["templateId"], shown["lastRunStatus"]["runState"]) == (
        ours.id,
        TEMPLATE,
        "Running",
    )


async def test_without_a_token_nothing_is_shown(build: Begin, somebody: Clients) -> None:
    client, running = somebody(), build()
    for path in ("/vmwright/runs", f"/vmwright/runs/{running.id}/log"):
        assert (await client.get(path, authorization="Bearer nobody")).status_code == 401


async def test_a_long_list_has_pages_of_what_may_be_read(
    build: Begin, somebody: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "MOST", 2)
    for number in range(5):
        build(f"hidden{number}")
        build(f"n{number}", template_id=f"{TEMPLATE}{number}")
    client = somebody("some", OURS)
    seen, link = [], "/vmwright/runs"
    while link:
        page = (await client.get(link)).json()
        assert len(page["value"]) <= 2
        seen += [one["name"] for one in page["value"]]
        link = page.get("nextLink", "")
    assert seen == ["n4", "n3", "n2", "n1", "n0"]


async def test_builds_are_found_by_name_or_by_the_beginning_of_an_id(build: Begin, somebody: Clients) -> None:
    web = build("web")
    build("other")
    client = somebody()
    assert await names(client, "?run=WEB") == ["web"]
    assert await names(client, f"?run={web.id[:8]}") == ["web"]
    assert await names(client, "?run=%25") == []
