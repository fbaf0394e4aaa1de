"""What a template says: the contracts of the api-versions, reading, checking. Pure: no I/O.

``read`` is the door: bytes in, a ``Reading`` out, with the template (if it can be had) and every problem.

    document      JSON -> a tree that knows its places     placeholders  <name> -> value
    contract      how contracts are written                shapes        the contracts, as data
    reading       tree + contract -> checked objects       values, texts, formats: their simple values
    checking*     rules over the whole                     catalogue     every rule, with its code
    support       what is not built yet                    modelling     checked objects -> model
    whole         the way of one template through all of them
"""

from __future__ import annotations

from vmwright.template.model import Template
from vmwright.template.problems import Place, Problem, Severity
from vmwright.template.whole import Reading, read

__all__ = ["Place", "Problem", "Reading", "Severity", "Template", "read"]
