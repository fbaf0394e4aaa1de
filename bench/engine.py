"""What durable execution costs: the engine's start, one step in its journal, one step of a real build."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import make_url

if TYPE_CHECKING:
    from vmwright.durable import Journal

VMWRIGHT = Path(sys.executable).parent / "vmwright"
STEPS = 200
FEW, MANY = 1, 30


async def journal(url: str) -> tuple[float, float, float]:
    """Return seconds for the import and the launch of the engine, and for one step that does nothing."""
    begun = time.perf_counter()
    durable = importlib.import_module("vmwright.durable")
    imported = time.perf_counter()
    engine = await durable.Engine.launch(make_url(url), executor=str(uuid.uuid4()))
    launched = time.perf_counter()

    async def nothing() -> None:
        pass

    async def body(steps: Journal) -> None:
        for number in range(STEPS):
            await steps.step(f"step {number}", type(None), nothing)

    await engine.run(str(uuid.uuid4()), body)
    done = time.perf_counter()
    await engine.close()
    return imported - begun, launched - imported, (done - launched) / STEPS


def build(steps: int, folder: Path, machine: str) -> tuple[float, float]:
    """Return seconds of a build, and of those in which its steps ran."""
    document = {
        "type": "Microsoft.VirtualMachineImages/imageTemplates",
        "apiVersion": "2020-02-14",
        "location": "westus2",
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {"<imgBuilderId>": {}}},
        "properties": {
            "source": {
                "type": "PlatformImage", "publisher": "Debian", "offer": "debian-12", "sku": "12",
                "version": "latest",
            },
            "customize": [
                {"type": "Shell", "name": f"step{one}", "inline": ["true"]} for one in range(steps)
            ],
            "distribute": [{"type": "VHD", "runOutputName": "steps"}],
        },
    }  # fmt: skip
    template = folder / f"steps{steps}.json"
    template.write_text(json.dumps(document))
    argv = [str(VMWRIGHT), "build", str(template), "--machine", machine, "--json"]
    begun = time.perf_counter()
    done = subprocess.run(argv, stdout=subprocess.PIPE, text=True, check=True)
    seconds = time.perf_counter() - begun
    events = [json.loads(line) for line in done.stdout.splitlines()]
    for output in (event for event in events if event["type"] == "Distributed"):
        Path(output["artifact"].removeprefix("file://")).unlink(missing_ok=True)
    return seconds, sum(event["seconds"] for event in events if event["type"] == "StepEnded")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--postgresql", help="URL of an empty database, to measure its journal, too")
    parser.add_argument("--machine", choices=("container", "vm"), default="container")
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        urls = {"SQLite": f"sqlite:///{folder}/journal.sqlite"}
        if options.postgresql:
            urls["PostgreSQL"] = options.postgresql.replace("postgresql://", "postgresql+psycopg://", 1)
        for name, url in urls.items():
            for _ in range(options.runs):
                imported, launched, step = asyncio.run(journal(url))
                print(
                    f"{name}: import {imported:.2f} s, launch {launched:.2f} s, a step {step * 1000:.2f} ms"
                )
        per_step, running = [], []
        for _ in range(options.runs):
            few, in_few = build(FEW, Path(folder), options.machine)
            many, in_many = build(MANY, Path(folder), options.machine)
            per_step.append((many - few) / (MANY - FEW))
            running.append((in_many - in_few) / (MANY - FEW))
            print(f"{FEW} step: {few:.1f} s, {MANY} steps: {many:.1f} s")
        print(
            f"a step of a build: {statistics.median(per_step):.3f} s, "
            f"{statistics.median(running):.3f} s of it in the guest"
        )


if __name__ == "__main__":
    main()
