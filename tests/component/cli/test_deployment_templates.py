"""Deployment templates at the command line: parameters, and several image templates in one file."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Self

import pytest

from tests.conftest import ROOT
from tests.vmwright_command import SOURCE, Vmwright, shell
from vmwright.builds.build import BuildResult
from vmwright.cli import build as command
from vmwright.errors import BuildError
from vmwright.events import Events, Outcome
from vmwright.machines.machine import MachineKind
from vmwright.machines.sizes import Capacity
from vmwright.runs.executors import Executor, ExecutorKind, Offer
from vmwright.runs.queue import Claim
from vmwright.settings import Settings
from vmwright.state.database import Database
from vmwright.state.tables import BuildRow

EXAMPLE = ROOT / "examples" / "deployment.json"
PARAMETERS = ROOT / "examples" / "deployment.parameters.json"
IMAGES = "Microsoft.VirtualMachineImages/imageTemplates"


@pytest.fixture
def vmwright(tmp_path: Path) -> Vmwright:
    home = tmp_path / "home"
    home.mkdir()
    return Vmwright(home)


def deployment(file: Path, *names: str, needs: dict[str, list[str]] | None = None) -> Path:
    """Write a deployment template with image templates of these names."""
    resources = [
        {
            "type": IMAGES,
            "apiVersion": "2020-02-14",
            "name": name,
            "location": "westus2",
            "identity": {"type": "UserAssigned", "userAssignedIdentities": {"<imgBuilderId>": {}}},
            "dependsOn": (needs or {}).get(name, []),
            "properties": {
                "source": SOURCE,
                "customize": [shell("[parameters('key')]")],
                "distribute": [{"type": "VHD", "runOutputName": name}],
            },
        }
        for name in names
    ]
    parameters = {"key": {"type": "securestring", "defaultValue": "none"}}
    document = {"$schema": "deploymentTemplate.json#", "parameters": parameters, "resources": resources}
    file.write_text(json.dumps(document))
    return file


def test_the_example_checks_and_takes_its_parameters(vmwright: Vmwright) -> None:
    done = vmwright("check", EXAMPLE)
    assert done.code == 0
    assert "note[parameter/no-value] parameters.greeting" in done.out
    done = vmwright(
        "check", EXAMPLE, "--parameters", PARAMETERS, "--set", 'packages=["a"]', "--format", "json"
    )
    assert done.code == 0
    (report,) = json.loads(done.out)
    assert {problem["code"] for problem in report["problems"]} == {"arm/default", "arm/not-made"}


def test_a_build_without_a_value_names_the_parameter(vmwright: Vmwright) -> None:
    done = vmwright("build", EXAMPLE, "--set", "imageTemplateName=x")
    assert done.code == 2
    assert "error[parameter/no-value] parameters.greeting" in done.err
    assert "--set greeting=VALUE" in done.err


def test_a_parameter_file_that_cannot_be_read(vmwright: Vmwright, tmp_path: Path) -> None:
    done = vmwright("build", EXAMPLE, "--parameters", "name=value")
    assert (done.code, "name=value cannot be read" in done.err, "--set NAME=VALUE" in done.err) == (
        2,
        True,
        True,
    )
    broken = tmp_path / "p.json"
    broken.write_text('{"parameters": ')
    done = vmwright("check", EXAMPLE, "--parameters", broken)
    assert done.code == 2
    assert "p.json:1:" in done.out
    assert "Traceback" not in done.err


def test_a_name_is_for_one_image_template(vmwright: Vmwright, tmp_path: Path) -> None:
    done = vmwright("build", deployment(tmp_path / "d.json", "a", "b"), "--name", "x")
    assert (done.code, "2 image templates" in done.err) == (2, True)


class Builds:
    """Stands for what runs the builds: those named fail."""

    database: Database
    executor: Executor

    def __init__(self, *failing: str, outcome: Outcome = Outcome.FAILED) -> None:
        self.built: list[str] = []
        self.said: list[str] = []
        self._failing = failing
        self._outcome = outcome

    @contextlib.asynccontextmanager
    async def own_runner(self, _settings: Settings, database: Database) -> AsyncIterator[Self]:
        self.database = database
        offer = Offer.of_this_host(frozenset(MachineKind), Capacity(1, 1024), kvm=False)
        self.executor = Executor.register(database, ExecutorKind.BUILD, offer)
        yield self

    async def run(self, claim: Claim, events: Events) -> BuildResult:
        with self.database.session() as session:
            name = session.get_one(BuildRow, claim.build_id).name
        self.built.append(name)
        self.said.append(events.redact("the key is hunter2"))
        error = BuildError("it failed with hunter2") if name in self._failing else None
        outcome = self._outcome if error else Outcome.SUCCEEDED
        return BuildResult(id=claim.build_id, outcome=outcome, log=Path("/log"), seconds=1, error=error)

    async def nothing(self, *_: Any, **__: Any) -> None:
        """Stands for what comes before the builds."""


def build(
    builds: Builds, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, as_json: bool = False
) -> int:
    monkeypatch.setenv("VMWRIGHT_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(command, "own_runner", builds.own_runner)
    monkeypatch.setattr(command, "check_request", builds.nothing)
    monkeypatch.setattr(command, "reap", builds.nothing)
    try:
        command.build(
            file,
            values=["key=hunter2"],
            parameters=[],
            out=None,
            formats=None,
            sums=False,
            machine=None,
            name=None,
            detach=False,
            uses_cache=False,
            refresh=None,
            priority=None,
            as_json=as_json,
        )
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


NEEDS = {"a": ["b"], "c": ["a"], "d": []}


def test_templates_are_built_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    builds = Builds()
    file = deployment(tmp_path / "d.json", "c", "a", "d", "b", needs=NEEDS)
    assert build(builds, file, tmp_path, monkeypatch) == 0
    assert builds.built == ["d", "b", "a", "c"]
    assert set(builds.said) == {"the key is ******"}
    assert "4 of 4 image templates built" in capsys.readouterr().out


@pytest.mark.parametrize("as_json", [False, True])
def test_what_needs_a_failed_template_is_not_built(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    as_json: bool,
) -> None:
    builds = Builds("b")
    file = deployment(tmp_path / "d.json", "b", "a", "c", "d", needs=NEEDS)
    assert build(builds, file, tmp_path, monkeypatch, as_json=as_json) == 1
    assert builds.built == ["b", "d"]
    out, err = capsys.readouterr()
    assert "error: it failed with ******" in err
    assert "a is not built: it needs b, which failed." in out
    assert "c is not built: it needs b, which failed." in out
    if as_json:
        assert all(json.loads(line)["type"] for line in out.splitlines())
    else:
        assert "1 of 4 image templates built" in out


def test_a_cancel_ends_all_builds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    builds = Builds("a", outcome=Outcome.CANCELED)
    file = deployment(tmp_path / "d.json", "a", "b")
    assert build(builds, file, tmp_path, monkeypatch) == 1
    assert builds.built == ["a"]
