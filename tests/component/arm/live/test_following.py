"""Following a build over a real connection: its log and its events, until it ends or the follower goes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest

from tests.component.arm.live.conftest import Running, Somebody
from vmwright.arm.live import streams, watches
from vmwright.arm.live.watches import Look, Watch, Watches
from vmwright.builds.event_file import FILE_NAME as EVENTS
from vmwright.builds.log import FILE_NAME, VALIDATION
from vmwright.events import BuildStarted, Output, StepStarted

Begin = Callable[..., Running]
Clients = Callable[..., Somebody]


def log_of(build: Running) -> str:
    return f"/vmwright/runs/{build.id}/log"


async def lines(answer: httpx2.Response) -> AsyncIterator[str]:
    async for line in answer.aiter_lines():
        yield line


async def until_empty(watches: Watches) -> None:
    while watches.followers:
        await asyncio.sleep(0.01)


def messages(text: str) -> list[dict[str, str]]:
    """Return what Server-Sent Events say, without comments."""
    blocks = [block.split("\n") for block in text.split("\n\n") if block and not block.startswith(":")]
    parsed = [dict(line.split(": ", 1) for line in block) for block in blocks]
    return [one for one in parsed if "data" in one]


async def test_a_log_is_given_as_it_grows_until_the_build_ends(build: Begin, somebody: Clients) -> None:
    running = build()
    running.write("one\n")
    async with somebody().stream(f"{log_of(running)}?follow=true") as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        given = lines(answer)
        assert await anext(given) == "one"
        running.write("two\n")
        assert await anext(given) == "two"
        running.write("last")
        running.end()
        assert [line async for line in given] == ["last"]


async def test_a_log_so_far_ends_at_once(build: Begin, somebody: Clients) -> None:
    running = build("web", FILE_NAME, VALIDATION)
    running.write("one\ntwo\n")
    running.write("valid\n", VALIDATION)
    client = somebody()
    assert (await client.get(log_of(running))).text == "one\ntwo\n"
    assert (await client.get(f"{log_of(running)}?after=4")).text == "two\n"
    assert (await client.get(f"{log_of(running)}?after=400")).text == ""
    assert (await client.get(f"{log_of(running)}?name={VALIDATION}")).text == "valid\n"
    assert (await client.http.head(f"{log_of(running)}?follow=true")).status_code == 200


async def test_a_big_log_is_given_whole(build: Begin, somebody: Clients) -> None:
    running = build()
    text = "".join(f"{number}\n" for number in range(100_000))
    running.write(text)
    running.end()
    assert (await somebody().get(f"{log_of(running)}?follow=true")).text == text


@pytest.mark.parametrize("query", ["after=-1", "after=x", "after=" + "9" * 30, "follow=maybe", "name=../x"])
async def test_what_is_asked_for_wrongly_is_refused(build: Begin, somebody: Clients, query: str) -> None:
    answer = await somebody().get(f"{log_of(build())}?{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "InvalidParameter")


async def test_a_log_that_is_not_there(build: Begin, somebody: Clients) -> None:
    running = build("web", EVENTS)
    client = somebody()
    missing = await client.get(log_of(running))
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "LogNotFound")
    assert (await client.get("/vmwright/runs/none/log")).status_code == 404
    running.end()
    assert (await client.get(f"{log_of(running)}?follow=true")).status_code == 404
    assert (await client.get(f"/vmwright/runs/{running.id}/events")).status_code == 404, "never written"


async def test_a_follower_that_goes_away_is_not_kept(
    build: Begin, somebody: Clients, followed: Watches
) -> None:
    running = build()
    running.write("one\n")
    client = somebody()
    for path in (f"{log_of(running)}?follow=true", f"/vmwright/runs/{running.id}/events"):
        async with client.stream(path) as answer:
            await anext(answer.aiter_raw())
            while not followed.followers:
                await asyncio.sleep(0.01)
        await until_empty(followed)


async def test_a_follower_that_reads_nothing_and_goes_away_is_not_kept(
    build: Begin, somebody: Clients, followed: Watches
) -> None:
    running = build()
    running.write("x" * (50 << 20))
    where = somebody().http.base_url
    reader, writer = await asyncio.open_connection(where.host, where.port, limit=16)
    asked = f"GET {log_of(running)}?follow=true HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer reader\r\n\r\n"
    writer.write(asked.encode())
    assert await reader.readexactly(15) == b"HTTP/1.1 200 OK"
    assert followed.followers == 1
    writer.close()
    await writer.wait_closed()
    await until_empty(followed)


async def test_many_followers_cost_the_database_one_look(
    build: Begin, somebody: Clients, followed: Watches, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watches, "POLL_SECONDS", 60.0)
    looks = 0
    look = Watches._look

    async def counted(self: Watches, **how: Any) -> None:
        nonlocal looks
        looks += 1
        await look(self, **how)

    monkeypatch.setattr(Watches, "_look", counted)
    running = build()
    running.write("one\n")
    client = somebody()

    async def follow() -> str:
        async with client.stream(f"{log_of(running)}?follow=true") as answer:
            return "".join([piece async for piece in answer.aiter_text()])

    followers = [asyncio.create_task(follow()) for _ in range(50)]
    while followed.followers < 50:
        await asyncio.sleep(0.01)
    running.end()
    followed._new.set()
    assert await asyncio.gather(*followers) == ["one\n"] * 50
    # one when somebody new comes, at most, and not one for each each time
    assert looks <= 52


async def test_a_reader_that_takes_nothing_is_waited_for(build: Begin, followed: Watches) -> None:
    running = build()
    running.write("x" * (10 * watches.PIECE_BYTES))
    running.end()
    reads: list[int] = []
    async with followed.of(running.id) as watch:
        read = watch.read

        async def counted(name: str, **where: int) -> bytes:
            reads.append(where["after"])
            return await read(name, **where)

        watch.read = counted  # type: ignore[method-assign]
        slow = streams.pieces(watch, FILE_NAME, after=0, follow=True)
        await anext(slow)
        assert len(reads) == 1
        assert sum([len(piece) async for piece in slow]) == 9 * watches.PIECE_BYTES


async def test_events_have_ids_by_which_a_client_goes_on(build: Begin, somebody: Clients) -> None:
    running = build()
    running.say(
        BuildStarted(build=running.id, template="web", steps=1, correlation_id="c"),
        StepStarted(number=1, total=1, name="one", kind="Shell"),
    )
    client, path = somebody(), f"/vmwright/runs/{running.id}/events"
    async with client.stream(path) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        given = answer.aiter_text()
        text = ""
        while len(messages(text)) < 2:
            text += await anext(given)
        running.say(Output(line="say \u2028 it\r\nall"))
        running.end()
        text += "".join([piece async for piece in given])
    told = messages(text)
    assert [one["event"] for one in told] == ["BuildStarted", "StepStarted", "Output"]
    assert json.loads(told[0]["data"])["correlation_id"] == "c"
    assert json.loads(told[2]["data"])["line"] == "say \u2028 it\r\nall"
    for seen, behind in enumerate(told[:-1], start=1):
        again = await client.get(path, **{"last-event-id": behind["id"]})
        assert messages(again.text) == told[seen:]
    over = await client.get(path, **{"last-event-id": told[-1]["id"]})
    assert (over.status_code, over.content) == (204, b"")


async def test_an_id_in_the_middle_of_an_event_goes_on_behind_it(build: Begin, somebody: Clients) -> None:
    running = build()
    running.say(Output(line="one"), Output(line="two"))
    running.end()
    answer = await somebody().get(f"/vmwright/runs/{running.id}/events", **{"last-event-id": "7"})
    assert [json.loads(one["data"])["line"] for one in messages(answer.text)] == ["two"]
    wrong = await somebody().get(f"/vmwright/runs/{running.id}/events", **{"last-event-id": "seven"})
    assert wrong.status_code == 400


async def test_half_a_line_of_a_host_that_died_is_left_out(build: Begin, somebody: Clients) -> None:
    running = build()
    running.write('{"type": "Outp\n', EVENTS)
    running.say(Output(line="next"))
    running.end()
    (told,) = messages((await somebody().get(f"/vmwright/runs/{running.id}/events")).text)
    assert json.loads(told["data"])["line"] == "next"


async def test_a_connection_on_which_nothing_comes_is_kept_alive(
    build: Begin, somebody: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "HEARTBEAT_SECONDS", 0.01)
    running = build()
    async with somebody().stream(f"/vmwright/runs/{running.id}/events") as answer:
        text = ""
        async for piece in answer.aiter_text():
            text += piece
            if streams.HEARTBEAT.decode() in text:
                break


async def test_a_watch_tells_of_what_is_new_alone() -> None:
    watch = Watch()
    assert await watch.news(None, seconds=0) is None
    from vmwright.runs.logs import Logs

    await watch.seen(Logs(is_over=False, places=()), {"a": b"1"})
    look = await watch.news(None, seconds=60)
    assert look == Look(is_over=False, sizes={"a": 1})
    assert await watch.news(look, seconds=0) is None
    await watch.seen(Logs(is_over=True, places=()), {})
    assert await watch.news(look, seconds=60) == Look(is_over=True, sizes={"a": 1})
