"""How long a cancel takes, from each phase of a build: from the request to the end of clean-up.

Each run starts a real build in a container, waits until it is well in the phase, asks for the cancel by
``vmwright cancel`` or a signal, and measures until the build is recorded as Canceled and its process is gone;
then, where a command asked, without that command's own start: from the request to the end in the database.
What is left on the host afterwards is looked for each time: anything ends the measurement.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.host_traces import traces
from tests.object_servers import S3Server, started_s3
from tests.vmwright_command import Vmwright, shell, write_template
from vmwright.secret_values import read_secret

SLEEP = shell("echo there", "sleep 600", name="sleeps")
STUBBORN = shell(
    "trap '' TERM INT HUP", "echo there", "while true; do sleep 1 || true; done", name="stubborn"
)
GENERALIZES = shell(
    "printf '#!/bin/sh\\necho there\\nsleep 600\\n' > /tmp/DeprovisioningScript.sh", name="slow"
)
LARGE = {"osDiskSizeGB": 64}
BIG = shell("dd if=/dev/urandom of=$HOME/big bs=1M count=200 status=none", name="big")
UBUNTU = "https://cloud-images.ubuntu.com/"
SLOW = 64 << 10
QUEUED = "queued"


class Slow(BaseHTTPRequestHandler):
    """A server that sends a byte now and then."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(SLOW))
        self.end_headers()
        with contextlib.suppress(OSError):
            for _ in range(SLOW):
                self.wfile.write(b"#")
                time.sleep(1)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@dataclass
class Bench:
    """Where builds run: the command, a folder for templates, the slow server's port."""

    vmwright: Vmwright
    folder: Path
    port: int

    def template(
        self, *steps: dict[str, object], source: dict[str, str] | None = None, **properties: object
    ) -> Path:
        disk = source or platform_image("Bench", "debian", "12")
        file = write_template(self.folder, *steps, name="cancelled", source=disk)
        document = json.loads(file.read_text())
        document["apiVersion"] = "2022-02-14"
        document["properties"].update(properties)
        file.write_text(json.dumps(document))
        return file

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}/{path}"

    def cancel(self, build: str = "cancelled") -> None:
        done = self.vmwright("cancel", build)
        if done.code != 0 or ": Canceled" not in done.out:
            (newest, *_) = self.vmwright.json("runs")
            raise SystemExit(f"cancel: exit code {done.code}\n{done.out}{done.err}{newest}")
        if "warning" in done.out + done.err:
            raise SystemExit(done.out + done.err)


def waits(what: str, kind: str, after: float = 0.0) -> Callable[[dict[str, Any]], bool]:
    """Return whether an event is the one to wait for; the cancel comes ``after`` so many seconds."""

    def is_it(event: dict[str, Any]) -> bool:
        found = event["type"] == kind and what in str(event)
        if found:
            time.sleep(after)
        return found

    return is_it


@dataclass
class Case:
    """A phase: its template, the event that tells it has come, how the cancel is asked for."""

    template: Callable[[Bench], Path]
    there: Callable[[dict[str, Any]], bool]
    how: Callable[[Bench, subprocess.Popen[str]], None] = lambda bench, _: bench.cancel()
    options: tuple[str, ...] = ()
    dies: bool = False


def sends(number: int) -> Callable[[Bench, subprocess.Popen[str]], None]:
    return lambda _, process: process.send_signal(number)


def freezes(bench: Bench, _: subprocess.Popen[str]) -> None:
    """Freeze the container whole, then cancel."""
    (newest, *_) = bench.vmwright.json("runs")
    files = list(Path("/sys/fs/cgroup").rglob(f"vmwright-{newest['id'][:8]}*/cgroup.freeze"))
    if not files:
        raise SystemExit("no container to freeze, or no cgroup v2")
    for file in files:
        file.write_text("1")
    bench.cancel()


def stalls(bench: Bench, _: subprocess.Popen[str]) -> None:
    """Stop the S3 server, then cancel: no request of the build is answered any more."""
    found = subprocess.run(
        ["/usr/bin/pgrep", "--parent", str(os.getpid()), "--full", "moto.server"],
        capture_output=True,
        text=True,
        check=True,
    )
    os.kill(int(found.stdout), signal.SIGSTOP)
    try:
        bench.cancel()
    finally:
        os.kill(int(found.stdout), signal.SIGCONT)


def kills(bench: Bench, process: subprocess.Popen[str]) -> None:
    """Kill the build's process, then cancel."""
    process.kill()
    process.wait()
    bench.cancel()


def validates(bench: Bench) -> Path:
    return bench.template(shell("true"), validate={"inVMValidations": [SLEEP]})


def platform_image(publisher: str, offer: str, sku: str) -> dict[str, str]:
    return {"type": "PlatformImage", "publisher": publisher, "offer": offer, "sku": sku, "version": "latest"}


def slow_source(bench: Bench) -> Path:
    """A source of Ubuntu's, whose site is mirrored by the slow server."""
    of_ubuntu = platform_image("Canonical", "0001-com-ubuntu-server-jammy", "22_04-lts-gen2")
    return bench.template(shell("true"), source=of_ubuntu)


def bootstrapped(bench: Bench) -> Path:
    """A source that this host bootstraps."""
    return bench.template(shell("true"), source=platform_image("Debian", "debian-12", "12"))


def output(after: float = 0.3) -> Callable[[dict[str, Any]], bool]:
    return waits("'line': 'there'", "Output", after)


CASES = {
    "source: download": Case(slow_source, waits("source", "PhaseStarted", 1.0)),
    "source: bootstrap": Case(bootstrapped, waits("source", "PhaseStarted", 5.0)),
    "fetch": Case(
        lambda bench: bench.template({"type": "Shell", "name": "s", "scriptUri": bench.url("slow.sh")}),
        waits("fetch", "PhaseStarted", 1.0),
    ),
    "machine": Case(lambda bench: bench.template(SLEEP), waits("machine", "PhaseStarted", 1.0)),
    "step": Case(lambda bench: bench.template(SLEEP), output()),
    "step, Ctrl-C": Case(lambda bench: bench.template(SLEEP), output(), sends(signal.SIGINT)),
    "step, SIGTERM": Case(lambda bench: bench.template(SLEEP), output(), sends(signal.SIGTERM)),
    "step that ignores signals": Case(lambda bench: bench.template(STUBBORN), output()),
    "frozen guest": Case(lambda bench: bench.template(SLEEP), output(), freezes),
    "generalize": Case(lambda bench: bench.template(GENERALIZES), output()),
    "validate": Case(validates, output()),
    "distribute": Case(
        lambda bench: bench.template(shell("true"), vmProfile=LARGE), waits("distribute", "PhaseStarted", 1.5)
    ),
    "upload to the store": Case(lambda bench: bench.template(BIG), waits("big", "StepEnded", 0.5), stalls),
    "step of a dead worker": Case(lambda bench: bench.template(SLEEP), output(), kills, dies=True),
}


@dataclass
class Taken:
    """How long a cancel took, in seconds: as a user waits, and as the database has it (0: a signal)."""

    waited: float
    recorded: float


def taken_since(begun: float, bench: Bench) -> Taken:
    waited = time.monotonic() - begun
    newest = "SELECT cancel_asked_at, ended_at FROM builds ORDER BY started_at DESC LIMIT 1"
    with contextlib.closing(sqlite3.connect(bench.vmwright.home / "state.sqlite")) as database:
        asked, ended = database.execute(newest).fetchone()
    seconds = (datetime.fromisoformat(ended) - datetime.fromisoformat(asked or ended)).total_seconds()
    return Taken(waited, seconds)


def cancelled(bench: Bench, case: Case, process: subprocess.Popen[str]) -> Taken:
    """Cancel a build that has been started, and wait until it is gone."""
    if process.stdout is None or process.stderr is None:
        raise SystemExit("no pipe")
    said = []
    for line in process.stdout:
        said.append(line)
        if case.there(json.loads(line)):
            break
    reading = threading.Thread(target=process.stdout.read, daemon=True)
    reading.start()
    begun = time.monotonic()
    case.how(bench, process)
    process.wait(timeout=60)
    taken = taken_since(begun, bench)
    if process.returncode != (-signal.SIGKILL if case.dies else 130):
        raise SystemExit(f"exit code {process.returncode}: {process.stderr.read()}\n{''.join(said)}")
    return taken


def once(bench: Bench, case: Case) -> Taken:
    """Run a build, cancel it, and return how long that took."""
    template = case.template(bench)
    options = ("--json", "--machine", "container", "--out", str(bench.folder / "out"))
    with bench.vmwright.start("build", template, *options) as process:
        try:
            taken = cancelled(bench, case, process)
        finally:
            process.terminate()
    check(bench)
    return taken


def queued(bench: Bench) -> Taken:
    done = bench.vmwright("build", bench.template(SLEEP), "--detach")
    if done.code != 0:
        raise SystemExit(done.err)
    begun = time.monotonic()
    bench.cancel()
    return taken_since(begun, bench)


def check(bench: Bench) -> None:
    """End the measurement where anything is left, but for the layers that are kept for ``resume``."""
    left = {one for one in traces(bench.vmwright.home) if "folder" not in one}
    (newest, *_) = bench.vmwright.json("runs")
    if newest["lastRunStatus"]["runState"] != "Canceled" or left or bench.vmwright.json("images"):
        raise SystemExit(f"left after the cancel: {left}, {newest}")


@contextlib.contextmanager
def opened(disk: Path) -> Iterator[Bench]:
    with (
        tempfile.TemporaryDirectory() as folder,
        ThreadingHTTPServer(("127.0.0.1", 0), Slow) as server,
    ):
        server.daemon_threads = True
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, daemon=True).start()
        home = Path(folder) / "home"
        home.mkdir()
        bench = Bench(Vmwright(home), Path(folder), server.server_port)
        mirrors = f'[mirrors]\n"{UBUNTU}" = "{bench.url("slow/")}"\n'
        (home / "vmwright.toml").write_text(mirrors)
        done = bench.vmwright("sources", "add", "Bench:debian:12", str(disk))
        if done.code != 0:
            raise SystemExit(done.err)
        yield bench
        server.shutdown()


def with_store(bench: Bench, server: S3Server) -> Bench:
    """Return the same with a shared store."""
    store = server.store("bench").model_dump(mode="json")
    options = {name: read_secret(value, key=name) for name, value in server.store("bench").options.items()}
    environment = {"VMWRIGHT_STORE": json.dumps({"url": store["url"], "options": options})}
    return Bench(Vmwright(bench.vmwright.home, environment), bench.folder, bench.port)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("disk", type=Path, help="a disk with Debian 12, as `vmwright sources pull` makes it")
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--phases", nargs="+", default=[QUEUED, *CASES], choices=[QUEUED, *CASES])
    asked = parser.parse_args()
    os.environ.pop("VMWRIGHT_HOME", None)
    with opened(asked.disk) as bench, started_s3(bench.folder) as server:
        for name in asked.phases:
            where = with_store(bench, server) if "store" in name else bench
            taken = [queued(bench) if name == QUEUED else once(where, CASES[name]) for _ in range(asked.runs)]
            print(f"{name:<28}", figures([one.waited for one in taken]), end="   ")
            print(figures([one.recorded for one in taken]), flush=True)


def figures(seconds: list[float]) -> str:
    return f"{min(seconds):5.1f} {statistics.median(seconds):5.1f} {max(seconds):5.1f} s"


if __name__ == "__main__":
    main()
