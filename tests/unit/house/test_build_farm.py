"""docs/build-farm.md and deploy/: the commands, options, keys, packages and files that they name exist."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest
from pydantic import BaseModel

from tests.conftest import ROOT
from vmwright import process
from vmwright.cli.app import app
from vmwright.settings import Settings

PAGE = (ROOT / "docs" / "build-farm.md").read_text()
DEPLOY = ROOT / "deploy"
UNIT = "vmwright-worker.service"
SYSTEMD = DEPLOY / "systemd"
CONTAINERFILE = (DEPLOY / "worker" / "Containerfile").read_text()
TEXTS = [PAGE, CONTAINERFILE, *(file.read_text() for file in SYSTEMD.iterdir())]
VARIABLES = {name for text in TEXTS for name in re.findall(r"\bVMWRIGHT_[A-Z_]+\b", text)}
OF_TOOLS = {"VMWRIGHT_HOME"}


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def commands() -> list[list[str]]:
    """The page's command lines that run vmwright, behind sudo and variables, without the name itself."""
    lines = (line for block in blocks("console") for line in block.replace("\\\n", " ").splitlines())
    found = re.compile(r"(?:\$ )?(?:sudo (?:-u \S+ )?)?(?:[A-Z_]+=\S+ )*vmwright (.*)")
    return [shlex.split(match[1]) for line in lines if (match := found.fullmatch(line))]


def field(path: list[str]) -> bool:
    """Whether a path leads to a key of the configuration."""
    model: type[BaseModel] = Settings
    for name in path[:-1]:
        annotation = model.model_fields[name].annotation if name in model.model_fields else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return name in model.model_fields  # a table with names of the user's own
        model = annotation
    return path[-1] in model.model_fields


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_commands_of_the_page_have_these_options(command: list[str]) -> None:
    app.parse_args(command, exit_on_error=False, print_error=False)


def test_the_page_has_commands() -> None:
    assert {command[0] for command in commands()} >= {"build", "worker", "runs", "logs", "cancel", "resume"}


@pytest.mark.parametrize(
    "text", [*blocks("toml"), (DEPLOY / "vmwright.toml").read_text()], ids=lambda text: text.split("]")[0]
)
def test_the_configuration_is_one(text: str, tmp_path: Path) -> None:
    Settings(home=tmp_path, **tomllib.loads(text))


def test_the_page_shows_the_configuration_that_is_deployed() -> None:
    deployed = tomllib.loads((DEPLOY / "vmwright.toml").read_text())
    assert deployed in [tomllib.loads(block) for block in blocks("toml")]


@pytest.mark.parametrize("name", sorted(VARIABLES - OF_TOOLS))
def test_variables_stand_for_keys(name: str) -> None:
    assert field(name.removeprefix("VMWRIGHT_").lower().split("__"))


def test_keys_in_the_text_exist() -> None:
    tables = "|".join(name for name in Settings.model_fields)
    named = set(re.findall(rf"`((?:{tables})\.[a-z_]+)`", PAGE))
    assert "worker.on_stop" in named
    assert [key for key in named if not field(key.split("."))] == []


def test_files_in_the_text_exist() -> None:
    named = set(re.findall(r"\b(?:deploy|examples)/[\w./-]*\w", PAGE))
    named |= {f"deploy/systemd/{name}" for name in re.findall(r"`([\w-]+\.(?:conf|service|env))`", PAGE)}
    named.discard("deploy/systemd/pg_hba.conf")
    assert [name for name in named if not (ROOT / name).exists()] == []
    assert {file.name for file in SYSTEMD.iterdir()} <= {Path(name).name for name in named}


@pytest.mark.parametrize("drop_ins", [(), ("containers.conf",), ("finish.conf",)], ids=str)
async def test_systemd_takes_the_units(drop_ins: tuple[str, ...], tmp_path: Path) -> None:
    unit = tmp_path / UNIT
    # the program is not where a host has it
    unit.write_text(re.sub("(?m)^ExecStart=.*", "ExecStart=/bin/true", (SYSTEMD / UNIT).read_text()))
    folder = tmp_path / f"{UNIT}.d"
    folder.mkdir()
    for name in drop_ins:
        (folder / name).write_text((SYSTEMD / name).read_text())
    ran = await process.run(["systemd-analyze", "verify", "--man=no", str(unit)], timeout=60)
    assert ran.stderr == b""


def test_a_worker_under_systemd_has_the_time_to_do_what_it_is_told_to() -> None:
    """Builds that are to end first may take hours."""
    hands_over, finishes = ((SYSTEMD / name).read_text() for name in (UNIT, "finish.conf"))
    assert "ON_STOP=hand-over" in hands_over
    assert "TimeoutStopSec=90s" in hands_over
    assert "ON_STOP=finish" in finishes
    assert "TimeoutStopSec=infinity" in finishes


def test_the_drop_in_for_containers_gives_back_what_the_unit_has_taken() -> None:
    """Capabilities that are taken from an empty set leave it empty, and containers need them."""
    settings = (SYSTEMD / "containers.conf").read_text().splitlines()
    bounds = [line for line in settings if line.startswith("CapabilityBoundingSet=")]
    assert bounds[0] == "CapabilityBoundingSet=~"
    assert "NoNewPrivileges=no" in settings


def test_the_container_has_the_programs_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    packages = re.search(r"^PACKAGES := (.*)$", makefile, re.MULTILINE)
    assert packages
    assert set(packages[1].split()) <= set(CONTAINERFILE.replace("\\\n", " ").split())
