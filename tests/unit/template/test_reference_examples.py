"""The examples of Azure's template reference, each in an otherwise whole template, read without an error."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SHARED
from vmwright.template import document, read

EDITIONS = sorted((SHARED / "seeds").glob("template-reference-*.md"))
SECTIONS = ("source", "customize", "distribute")
# Examples that are no JSON: in 2019 one has a misplaced brace and one typographic quotes; in 2021 one is cut.
BROKEN = {"2019-05.nl": 2, "2020-06.sv": 0, "2021-02.nl": 1}


def examples(edition: Path) -> tuple[list[dict[str, Any]], int]:
    """The examples of sections and of single distributors, and how many of them are no JSON."""
    found: list[dict[str, Any]] = []
    broken = 0
    for block in re.findall(r"```json(.*?)```", edition.read_text(), re.DOTALL):
        text = block.partition("OS support")[0].strip().rstrip(",")
        if not re.search(r'"(source|customize|type|runOutputName)"', text) or '"apiVersion"' in text:
            continue
        trees = [document.parse(one.encode())[0] for one in (text, f"{{{text}}}", f"{{{text}}}}}")]
        tree = next((tree for tree in trees if tree is not None), None)
        if tree is None:
            broken += 1
            continue
        body = document.plain_object(tree)
        if "runOutputName" in body:
            found.append({"distribute": [body]})
        elif set(body) <= set(SECTIONS):
            found.append(body)
    return found, broken


@pytest.mark.skipif(not EDITIONS, reason="Azure's template reference (../shared/seeds) is missing")
@pytest.mark.parametrize("edition", EDITIONS, ids=lambda path: path.stem)
def test_the_examples_of_the_reference_read(edition: Path) -> None:
    found, broken = examples(edition)
    assert broken == BROKEN[edition.stem.removeprefix("template-reference-")]
    assert {name for example in found for name in example} == set(SECTIONS)
    assert len(found) >= 10
    for example in found:
        template = {
            "apiVersion": "2020-02-14" if "2021" in edition.stem else "2019-05-01-preview",
            "location": "<region>",
            "identity": {"type": "UserAssigned", "userAssignedIdentities": {"<imgBuilderId>": {}}},
            "properties": {
                "source": {
                    "type": "PlatformImage",
                    "publisher": "a",
                    "offer": "b",
                    "sku": "c",
                    "version": "1",
                },
                "distribute": [{"type": "VHD", "runOutputName": "out"}],
                **example,
            },
        }
        assert [str(problem) for problem in read(json.dumps(template).encode()).errors] == [], example
