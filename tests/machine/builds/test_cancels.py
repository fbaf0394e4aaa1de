"""Cancelling real builds from another process: Canceled within seconds, and nothing is left on the host."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.vmwright_command import Vmwright, shell, write_template

pytestmark = pytest.mark.machine

SLEEPS = shell("trap '' TERM INT HUP", "echo there", "while true; do sleep 1 || true; done", name="Stubborn")
IMAGE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/images/stays"
GALLERY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/galleries/g/images/i"


@contextlib.contextmanager
def building(
    vmwright: Vmwright, template: Path, *options: str | Path, until: str
) -> Iterator[subprocess.Popen[str]]:
    """A build that has said what it says in the phase that is meant."""
    with vmwright.start("build", template, "--machine", "container", *options) as process:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if until in line:
                break
        else:
            pytest.fail("".join(said))
        # read on, so that it never waits for a reader
        rest = threading.Thread(target=process.stdout.read)
        rest.start()
        yield process
        process.wait(timeout=60)
        rest.join()


def newest(vmwright: Vmwright) -> Any:
    return vmwright.json("runs")[0]


class Endless(BaseHTTPRequestHandler):
    """A server whose answer never comes to its end; ``let_go`` breaks it off."""

    let_go = threading.Event()

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        self.wfile.write(b"#!/bin/sh\n")
        self.wfile.flush()
        self.let_go.wait(60)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_download_that_hangs(vmwright: Vmwright, tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Endless) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/slow.sh"
        template = write_template(tmp_path, {"type": "Shell", "name": "s", "scriptUri": url}, name="fetches")
        with building(vmwright, template, until=" fetch") as process:
            done = vmwright("cancel", "fetches")
        Endless.let_go.set()
        server.shutdown()
    assert done.code == 0, done.err
    assert done.out.splitlines()[-1].endswith(": Canceled")
    assert process.returncode == 130


def test_a_guest_that_hangs_is_cancelled_twice(vmwright: Vmwright, tmp_path: Path) -> None:
    with building(vmwright, write_template(tmp_path, SLEEPS, name="hangs"), until="    there") as process:
        build_id = newest(vmwright)["id"]
        for file in Path("/sys/fs/cgroup").rglob(f"vmwright-{build_id[:8]}*/cgroup.freeze"):
            file.write_text("1")
        with vmwright.start("cancel", build_id) as first:
            second = vmwright("cancel", build_id[:8])
            first.wait(timeout=60)
    third = vmwright("cancel", build_id)
    assert (first.returncode, second.code, process.returncode) == (0, 0, 130)
    assert f"{build_id}: Canceled" in second.out
    assert third.code == 1
    assert "has ended already: Canceled" in third.err


def test_a_build_whose_process_is_dead(vmwright: Vmwright, tmp_path: Path) -> None:
    template = write_template(tmp_path, shell("true"), SLEEPS, name="dead")
    with building(vmwright, template, until="    there") as process:
        process.kill()
        process.wait()
        done = vmwright("cancel", "dead")
    assert done.code == 0, done.err
    assert "Clearing up after 1 interrupted build" in done.out
    assert done.out.splitlines()[-1].endswith(": Canceled")
    assert newest(vmwright)["lastRunStatus"]["runState"] == "Canceled"


def test_what_was_distributed_stays_and_is_named(vmwright: Vmwright, tmp_path: Path) -> None:
    # to compress this takes far longer than to cancel
    template = write_template(
        tmp_path,
        shell("sudo sh -c 'head -c 1G /dev/urandom >/var/random'"),
        name="half",
        distribute=[
            {"type": "ManagedImage", "imageId": IMAGE, "location": "westus2", "runOutputName": "first"},
            {
                "type": "SharedImage",
                "galleryImageId": GALLERY,
                "replicationRegions": ["westus2", "eastus"],
                "runOutputName": "second",
            },
            {"type": "VHD", "runOutputName": "third"},
        ],
    )
    options = ("--out", tmp_path / "out", "--format", "qcow2")
    with building(vmwright, template, *options, until="ManagedImage first succeeded") as process:
        done = vmwright("cancel", "half")
    assert done.code == 0, done.err
    assert f"first stays: {IMAGE}" in done.out
    assert process.returncode == 130
    kept = {image["id"] for image in vmwright.json("images")}
    assert IMAGE in kept
    states = [output["properties"]["provisioningState"] for output in newest(vmwright)["runOutputs"]]
    assert set(states) == {"Succeeded"}
    versions = [one for one in kept if one.startswith(f"{GALLERY}/versions/")]
    assert len(versions) == sum("/versions/" in str(one) for one in newest(vmwright)["runOutputs"])


def test_a_validation_is_interrupted(vmwright: Vmwright, tmp_path: Path) -> None:
    template = write_template(tmp_path, validate={"inVMValidations": [SLEEPS]}, name="validates")
    template.write_text(template.read_text().replace("2020-02-14", "2022-02-14"))
    with building(vmwright, template, until="    there") as process:
        process.send_signal(signal.SIGTERM)
    assert process.returncode == 130
    run = newest(vmwright)["lastRunStatus"]
    assert run["runState"] == "Canceled"
    assert "during step 1 of 1 'Stubborn' (Shell)" in run["message"]
