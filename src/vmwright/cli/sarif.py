"""``vmwright check --format sarif``: what was found as a SARIF 2.1.0 log, for code scanning in CI."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from vmwright import __version__
from vmwright.template.catalogue import Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from vmwright.template import Problem

Document = dict[str, object]

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
# The name ends in a version: another way of making fingerprints opens every known alert once more.
FINGERPRINT = "vmwright/v1"


def sarif_log(checked: Iterable[tuple[Path, Sequence[Problem]]], *, folder: Path) -> Document:
    """Return the SARIF log of files and what was found in them.

    Files below ``folder`` (the working folder, which CI uploads from) are named relative to it, others by a
    ``file:`` URI. Every rule is listed, found or not, so that runs can be compared.
    """
    places = {rule.code: index for index, rule in enumerate(Rule)}
    driver = {"name": "vmwright", "version": __version__, "rules": [_rule(rule) for rule in Rule]}
    results = [
        result
        for file, problems in checked
        for result in _results(artifact_uri(file, folder=folder), problems, places)
    ]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def artifact_uri(file: Path, *, folder: Path) -> str:
    """Return how SARIF names a file: relative to ``folder`` if below it, otherwise by a ``file:`` URI."""
    place = Path(os.path.normpath(folder / file))
    if place.is_relative_to(folder):
        return quote(os.fsencode(place.relative_to(folder)))
    return place.as_uri()


def _rule(rule: Rule) -> Document:
    says = f"{rule.says[:1].upper()}{rule.says[1:]}."
    where = f"Where the rule comes from: {rule.source}."
    # Code scanning wants all three texts.
    return {
        "id": rule.code,
        "shortDescription": {"text": says},
        "fullDescription": {"text": f"{says} {where}"},
        "help": {"text": where},
        "defaultConfiguration": {"level": rule.severity.value},
    }


def _results(uri: str, problems: Sequence[Problem], places: dict[str, int]) -> Iterator[Document]:
    seen: Counter[tuple[str, str]] = Counter()
    for problem in problems:
        key = (problem.code, problem.path)
        seen[key] += 1
        yield {
            "ruleId": problem.code,
            "ruleIndex": places[problem.code],
            "level": problem.severity.value,
            "message": {
                "text": f"{problem.message} Hint: {problem.hint}" if problem.hint else problem.message
            },
            "locations": [_location(uri, problem)],
            "partialFingerprints": {FINGERPRINT: _fingerprint(uri, *key, str(seen[key]))},
            "properties": _properties(problem),
        }


def _location(uri: str, problem: Problem) -> Document:
    # Code scanning refuses a result without a line: what is about the whole file stands at its first.
    region = {"startLine": problem.line or 1, "startColumn": problem.column or 1}
    location: Document = {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": region}}
    if problem.path:
        location["logicalLocations"] = [{"fullyQualifiedName": problem.path}]
    return location


def _properties(problem: Problem) -> Document:
    found = {"source": problem.source, "azureMessage": problem.azure_message}
    return {name: text for name, text in found.items() if text}


def _fingerprint(*parts: str) -> str:
    """Return what stays the same while lines move and messages are reworded: file, rule, JSON path, which."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
