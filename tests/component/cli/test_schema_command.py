"""``vmwright schema`` and ``vmwright check --format ...`` as editors and CI run them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

from tests.vmwright_command import Vmwright, shell, write_template


@pytest.fixture
def vmwright(tmp_path: Path) -> Vmwright:
    home = tmp_path / "home"
    home.mkdir()
    return Vmwright(home)


def test_the_schema_of_an_api_version_takes_a_template_of_it(vmwright: Vmwright, tmp_path: Path) -> None:
    done = vmwright("schema", "2020-02-14")
    assert done.code == 0
    validator = Draft7Validator(json.loads(done.out))
    assert validator.is_valid(json.loads(write_template(tmp_path, shell("true")).read_text()))
    assert not validator.is_valid(json.loads(write_template(tmp_path, {"type": "Shel"}).read_text()))


def test_without_an_api_version_the_schema_is_the_newest_s(vmwright: Vmwright) -> None:
    assert json.loads(vmwright("schema").out) == json.loads(vmwright("schema", "2025-10-01").out)


def test_an_unknown_api_version_is_an_error_that_names_the_known(vmwright: Vmwright) -> None:
    done = vmwright("schema", "2020-02-15")
    assert (done.code, done.out) == (2, "")
    assert "error: There is no api-version `2020-02-15`." in done.err
    assert "hint: did you mean 2020-02-14? known are 2018-02-01-preview, " in done.err


def test_sarif_of_several_files_names_them_from_the_working_folder(
    vmwright: Vmwright, tmp_path: Path
) -> None:
    bad = write_template(tmp_path, {"type": "Shel"}, name="bad")
    good = write_template(tmp_path, shell("true"), name="good")
    done = vmwright("check", bad.name, "gone.json", good, "--format", "sarif", cwd=tmp_path)
    assert done.code == 2
    results = json.loads(done.out)["runs"][0]["results"]
    found = {
        (one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"], one["ruleId"])
        for one in results
        if one["level"] == "error"
    }
    assert found == {("bad.json", "type/unknown"), ("gone.json", "file/unreadable")}


def test_sarif_without_an_error_ends_well(vmwright: Vmwright, tmp_path: Path) -> None:
    done = vmwright("check", write_template(tmp_path, shell("true")), "--format", "sarif")
    assert done.code == 0
    assert {one["level"] for one in json.loads(done.out)["runs"][0]["results"]} == {"note"}


def test_json_tells_what_is_wrong_from_what_is_not_built(vmwright: Vmwright, tmp_path: Path) -> None:
    step = {"type": "WindowsRestart", "name": "again"}
    (told,) = json.loads(vmwright("check", write_template(tmp_path, step), "--format", "json").out)
    assert (told["valid"], told["supported"]) == (True, False)
    assert all(problem["source"] for problem in told["problems"])
