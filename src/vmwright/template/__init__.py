"""What a template says: the contracts of the api-versions, reading, checking. Pure: no I/O.

``read`` is the door: bytes in, a ``Reading`` out, with the template (if it can be had) and every problem.

    document      JSON -> a tree that knows its places     placeholders  <name> -> value
    contract      how contracts are written                shapes        the contracts, as data
    reading       tree + contract -> checked objects       values, texts, formats: their simple values
    checking*     rules over the whole                     catalogue     every rule, with its code
    family        which guests a template is for           wording       the service's own words
    support       what is not built yet, or without effect
    modelling     checked objects -> model                 writing       model -> a request's body
    whole         the way of one template through all of them
    files         one template, or a deployment            readings      what comes of a file
    deploying     a deployment -> its readings             deployment/   ARM's expressions and resources
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vmwright.template.files import read_all
    from vmwright.template.model import Template
    from vmwright.template.parameter_file import ParameterFile
    from vmwright.template.problems import Place, Problem, Severity
    from vmwright.template.readings import Readings
    from vmwright.template.whole import Reading, read

HOMES = {
    "ParameterFile": "parameter_file",
    "Place": "problems",
    "Problem": "problems",
    "Reading": "whole",
    "Readings": "readings",
    "Severity": "problems",
    "Template": "model",
    "read": "whole",
    "read_all": "files",
}

__all__ = [
    "ParameterFile",
    "Place",
    "Problem",
    "Reading",
    "Readings",
    "Severity",
    "Template",
    "read",
    "read_all",
]


def __getattr__(name: str) -> object:
    """Import what is asked for: whoever works with the model alone does not wait for what reads templates."""
    if name not in HOMES:
        raise AttributeError(name)
    return getattr(importlib.import_module(f"{__name__}.{HOMES[name]}"), name)
