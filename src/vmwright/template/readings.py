"""What comes of reading a file: a reading for each of its image templates, and what else is in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vmwright.template.deployment import Resource
    from vmwright.template.problems import Problem
    from vmwright.template.whole import Reading


@dataclass(frozen=True, slots=True)
class Readings:
    """What came of reading a file.

    ``readings``: one for each image template, in the order in which they are built. ``problems``: all that
    is to be said of the file, in its order, also of these. ``resources``: what else a deployment makes, in
    order, each with its evaluated body. ``secrets``: values of secure parameters, which must not be shown.
    """

    readings: tuple[Reading, ...]
    problems: tuple[Problem, ...]
    resources: tuple[Resource, ...] = ()
    secrets: tuple[str, ...] = ()

    @property
    def errors(self) -> tuple[Problem, ...]:
        """What makes the file invalid."""
        return tuple(one for one in self.problems if one.is_error and not one.is_unsupported)

    @property
    def unsupported(self) -> tuple[Problem, ...]:
        """What this version cannot build, whatever its severity."""
        return tuple(one for one in self.problems if one.is_unsupported)
