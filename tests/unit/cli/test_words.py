from __future__ import annotations

from datetime import timedelta

import pytest

from vmwright.cli.boot import forward_of
from vmwright.cli.templates import template_name, values_of
from vmwright.cli.words import age, counted, duration, size
from vmwright.errors import TemplateError
from vmwright.machines.passt import Forward


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.04, "0.0 s"), (9.96, "10.0 s"), (12.4, "12 s"), (185, "3 min 05 s"), (3720, "1 h 02 min")],
)
def test_duration(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_counted() -> None:
    assert [counted(count, "step") for count in (0, 1, 2)] == ["0 steps", "1 step", "2 steps"]


@pytest.mark.parametrize(
    ("count", "said"), [(512, "512 B"), (1536, "1.5 KiB"), (4 << 30, "4.0 GiB"), (5 << 40, "5.0 TiB")]
)
def test_size(count: int, said: str) -> None:
    assert size(count) == said


@pytest.mark.parametrize(
    ("time", "said"),
    [(timedelta(minutes=3), "3 min"), (timedelta(hours=5), "5 h"), (timedelta(days=12, hours=4), "12 days")],
)
def test_age(time: timedelta, said: str) -> None:
    assert age(time) == said


def test_a_templates_name_is_its_files_within_azures_rules(tmp_path: pytest.TempPathFactory) -> None:
    from pathlib import Path

    assert template_name(Path("a/hello linux (1).json")) == "hello-linux-1"
    assert template_name(Path(f"{'x' * 80}.json")) == "x" * 64
    assert template_name(Path("äö.json")) == "template"


def test_values_may_hold_equals_signs_and_names_brackets() -> None:
    assert values_of(["region=westus2", "<uri>=https://x/?a=b"]) == {
        "region": "westus2",
        "uri": "https://x/?a=b",
    }


@pytest.mark.parametrize("setting", ["region", "=westus2", ""])
def test_what_is_no_setting_is_refused(setting: str) -> None:
    with pytest.raises(TemplateError, match="NAME=VALUE"):
        values_of([setting])


@pytest.mark.parametrize(
    ("text", "forward"), [("8080:80", Forward(8080, 80)), ("80", Forward(0, 80)), ("0:443", Forward(0, 443))]
)
def test_a_forward_names_a_port_of_the_guest_and_perhaps_one_of_the_host(text: str, forward: Forward) -> None:
    assert forward_of(text) == forward


@pytest.mark.parametrize("text", ["", "x", "80:", ":80x", "99999", "8080:0", "1:2:3"])
def test_what_is_no_forward_is_refused(text: str) -> None:
    with pytest.raises(TemplateError, match="HOST"):
        forward_of(text)
