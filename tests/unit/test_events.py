from __future__ import annotations

import json

from vmwright.events import BuildStarted, Event, Events, Output, Progress, Stream, as_json


def test_readers_see_events_in_their_order() -> None:
    seen: list[Event] = []
    events = Events(seen.append)
    events.note("first")
    events.say(Output(line="second"))
    assert [type(event).__name__ for event in seen] == ["Notice", "Output"]


def test_secrets_reach_no_reader() -> None:
    seen: list[Event] = []
    events = Events(seen.append)
    events.keep_secret("hunter2")
    events.keep_secret("hunter2-long")
    events.say(Output(line="password hunter2-long or hunter2", stream=Stream.STDERR))
    assert seen == [Output(at=seen[0].at, line="password ****** or ******", stream=Stream.STDERR)]


def test_numbers_and_enums_survive_redaction() -> None:
    seen: list[Event] = []
    events = Events(seen.append)
    events.keep_secret("1")
    events.say(Progress(what="disk 1", done=11, total=None))
    assert seen == [Progress(at=seen[0].at, what="disk ******", done=11, total=None)]


def test_json_is_one_line_with_a_type() -> None:
    line = as_json(BuildStarted(build="b", template="a\nb", steps=2))
    document = json.loads(line)
    assert "\n" not in line
    assert (document["type"], document["steps"], document["template"]) == ("BuildStarted", 2, "a\nb")
    assert document["at"].endswith("+00:00")
