"""Reading a file that may be an image template, or an ARM deployment template with any number of them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from vmwright.template import document as documents
from vmwright.template.placeholders import fill
from vmwright.template.readings import Readings
from vmwright.template.whole import is_deployment, read_filled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vmwright.template.parameter_file import ParameterFile


def read_all(
    data: bytes,
    *,
    api_version: str | None = None,
    values: Mapping[str, str] | None = None,
    parameters: Sequence[ParameterFile] = (),
    name: str = "template",
    for_build: bool = False,
) -> Readings:
    """Read and check a file: an image template, or an ARM deployment template.

    :param api_version: for an image template that does not name its own
    :param values: what ``--set`` gives to placeholders and parameters
    :param parameters: parameter files, of which the last one counts most
    :param name: the name of a template, or of a deployment, that has none of its own
    :param for_build: what has no value, and what is not built yet, are errors rather than notes
    """
    tree, found = documents.parse(data)
    if tree is None:
        return Readings((), found)
    given = values or {}
    if is_deployment(tree):
        from vmwright.template import deploying  # noqa: PLC0415 - plain templates do not pay for it

        done = deploying.read_deployment(
            tree, values=given, files=parameters, api_version=api_version, name=name, for_build=for_build
        )
        return dataclasses.replace(done, problems=(*found, *done.problems))
    filled = fill(tree, given, name=name, for_build=for_build)
    reading = read_filled(filled, found, api_version=api_version, name=name, for_build=for_build)
    problems = reading.problems
    if parameters:
        from vmwright.template.deployment.given import unused  # noqa: PLC0415 - likewise

        problems = (*problems, *(unused(file) for file in parameters))
    return Readings((dataclasses.replace(reading, problems=problems),), problems)
