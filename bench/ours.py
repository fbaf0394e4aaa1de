"""Builds by vmwright alone, in homes of their own, with what their events tell."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.job import URN, call
from bench.measured import VMWRIGHT, Taken, run

if TYPE_CHECKING:
    import argparse

CONTAINER = ("--machine", "container")


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A build: what its command took, and the seconds of its phases."""

    taken: Taken
    phases: dict[str, float]


@dataclass(frozen=True, slots=True)
class Home:
    """A $VMWRIGHT_HOME of the bench."""

    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        """What tells vmwright of it."""
        return {"VMWRIGHT_HOME": str(self.folder)}

    def make(self, source: Path) -> None:
        """Make it anew, with a disk as its Debian 12."""
        shutil.rmtree(self.folder, ignore_errors=True)
        call("env", f"VMWRIGHT_HOME={self.folder}", VMWRIGHT, "sources", "add", URN, source)

    def run(self, *arguments: str | Path) -> Taken:
        """Run a command in this home, which must succeed."""
        return succeeded(run((VMWRIGHT, *arguments), environment=self.environment))

    def build(self, template: Path, *options: str | Path) -> Built:
        """Build a template, which must succeed; without ``--out`` its image stays in the home."""
        phases: dict[str, float] = {}

        def hear(line: str) -> None:
            event: dict[str, Any] = json.loads(line) if line.startswith("{") else {}
            if event.get("type") == "PhaseEnded":
                phases[event["phase"]] = event["seconds"]

        argv = (VMWRIGHT, "build", template, "--json", *options)
        return Built(taken=succeeded(run(argv, environment=self.environment, on_line=hear)), phases=phases)


def succeeded(taken: Taken) -> Taken:
    """Return what a command took; end the bench where it failed."""
    if taken.exit_code != 0:
        raise SystemExit("\n".join((f"failed with exit code {taken.exit_code}:", *taken.last_lines)))
    return taken


def shell(name: str, *lines: str) -> dict[str, object]:
    """Return a Shell step."""
    return {"type": "Shell", "name": name, "inline": list(lines)}


def add_common_options(parser: argparse.ArgumentParser, *, runs: int) -> None:
    """Add the options that all benches take: how often, where, from which disk."""
    given = os.environ.get("VMWRIGHT_TEST_DISK")
    parser.add_argument("--runs", type=int, default=runs)
    parser.add_argument("--work", type=Path, default=Path(".bench"), help="where all files are made")
    parser.add_argument("--source", type=Path, default=given, help="a Debian 12 disk; without it one is made")
