"""The command, as a user runs it: a program of its own, with a home of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

SECONDS = 600.0
SOURCE = {
    "type": "PlatformImage",
    "publisher": "Debian",
    "offer": "debian-12",
    "sku": "12",
    "version": "latest",
}


@dataclass(frozen=True)
class Done:
    """How the command ended."""

    code: int
    out: str
    err: str

    def events(self, kind: str) -> list[dict[str, Any]]:
        """The events of a type that ``--json`` printed."""
        return [event for line in self.out.splitlines() if (event := json.loads(line))["type"] == kind]


@dataclass(frozen=True)
class Vmwright:
    """The command with its home."""

    home: Path
    environment: dict[str, str] = field(default_factory=dict)

    def start(
        self, *arguments: str | Path, cwd: Path | None = None, stderr: IO[bytes] | int = subprocess.PIPE
    ) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [Path(sys.executable).parent / "vmwright", *arguments],
            cwd=cwd or self.home,
            env={**os.environ, "VMWRIGHT_HOME": str(self.home), **self.environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )

    def __call__(self, *arguments: str | Path, cwd: Path | None = None) -> Done:
        with self.start(*arguments, cwd=cwd) as process:
            out, err = process.communicate(timeout=SECONDS)
        return Done(process.returncode, out, err)

    def json(self, *arguments: str) -> Any:
        done = self(*arguments, "--json")
        assert done.code == 0, done.err
        return json.loads(done.out)


def write_template(
    folder: Path,
    *customize: Mapping[str, object],
    name: str = "template",
    distribute: list[Mapping[str, object]] | None = None,
    source: Mapping[str, str] | None = None,
    **properties: object,
) -> Path:
    """Write a template of 2020-02-14 and return its file."""
    document = {
        "type": "Microsoft.VirtualMachineImages/imageTemplates",
        "apiVersion": "2020-02-14",
        "location": "westus2",
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {"<imgBuilderId>": {}}},
        "properties": {
            "source": source or SOURCE,
            "customize": list(customize),
            "distribute": distribute or [{"type": "VHD", "runOutputName": name}],
            **properties,
        },
    }
    file = folder / f"{name}.json"
    file.write_text(json.dumps(document, indent=2))
    return file


def shell(*inline: str, name: str = "step") -> dict[str, object]:
    """A Shell step of inline lines."""
    return {"type": "Shell", "name": name, "inline": list(inline)}
