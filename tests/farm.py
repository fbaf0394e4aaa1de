"""A build farm on this machine: hosts with homes and ids of their own, one database, real workers.

A host of the farm is this one under another machine id, in a mount namespace in which the others' homes are
not there: what its workers have of another host's build comes through the database and the shared store.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy import select

from tests.host_traces import traces
from tests.vmwright_command import Vmwright, shell, write_template
from vmwright.process import which
from vmwright.settings import DatabaseSettings, Settings, StoreSettings
from vmwright.state.database import Database, open_database
from vmwright.state.tables import BuildRow, ExecutorRow, LayerRow, ResourceRow, StepRow

PATIENCE = 180.0
STEPS = ("one", "two", "three")
COUNT = "/steps"
PROGRAM = Path(sys.executable).parent / "vmwright"
# what builds leave is looked for
NO_CACHE = {"VMWRIGHT_CACHE__MAX_SIZE_GIB": "0"}
# $1 becomes the machine id; each further argument up to -- is a folder that is hidden. What is mounted in it
# would stay busy for those that mounted it.
ANOTHER_HOST = """
mount --bind "$1" /etc/machine-id; shift
while [ "$1" != -- ]; do
    cut -d' ' -f2 /proc/self/mounts | grep "^$1" | sort -r | while read -r one; do umount -l "$one"; done
    mount -t tmpfs hidden "$1"
    shift
done
shift
exec "$@"
"""
# $1 becomes the boot's id. A container may mount a /proc of its own where one is in which nothing is mounted.
ANOTHER_BOOT = """
mkdir -p "$1.proc"; mount -t proc proc "$1.proc"
mount --bind "$1" /proc/sys/kernel/random/boot_id; shift
"$@" || exit $?  # no exec: the first process waits for orphans
"""
CLEAR_UP = """
import asyncio
from vmwright.workers.reaper import clear_up
from vmwright.events import Events
from vmwright.settings import load
from vmwright.state.database import open_database
asyncio.run(clear_up(open_database(load()), Events(lambda event: print(event))))
"""


@dataclass
class Worker:
    """A worker, or a command that builds, in a process group of its own."""

    process: subprocess.Popen[bytes]
    log: Path

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to its process group, which its machines are not in."""
        os.killpg(self.process.pid, number)

    def kill(self) -> float:
        """Kill it, and return when that was."""
        at = time.time()
        self.signal(signal.SIGKILL)
        self.process.wait()
        return at

    def stop(self) -> None:
        """Have it end by itself, its builds finished."""
        self.signal(signal.SIGTERM)
        assert self.process.wait(PATIENCE) == 0, self.said

    @property
    def said(self) -> str:
        """What it has written to its log so far."""
        return self.log.read_text()


@dataclass
class Host:
    """A host of the farm."""

    home: Path
    identity: Path | None = None
    hidden: tuple[Path, ...] = ()
    boot_id: Path | None = None
    environment: dict[str, str] = field(default_factory=dict)
    workers: list[Worker] = field(default_factory=list)

    def start_worker(self, *arguments: str, **environment: str) -> Worker:
        """Start a worker on this host; it need not be up when this returns."""
        return self.start_command("worker", *arguments, **environment)

    def start_command(self, *arguments: str, **environment: str) -> Worker:
        """Start a command on this host that ends by itself."""
        log = self.home.with_name(f"worker-{len(self.workers)}.log")
        worker = Worker(self._start([PROGRAM, *arguments], log, environment), log)
        self.workers.append(worker)
        return worker

    def come_back(self) -> None:
        """Run a worker on this host until it has removed what those that were killed on it have left."""
        worker = self.start_worker()
        wait_until(
            lambda: "takes builds" in worker.said and not layers_in(self.home), otherwise=lambda: worker.said
        )
        worker.stop()

    def clear_up(self) -> None:
        """Remove what was left on this host by those that were killed on it last."""
        cleared = self._start([sys.executable, "-c", CLEAR_UP], self.home.with_name("cleared.log"), {})
        assert cleared.wait(PATIENCE) == 0, self.home.with_name("cleared.log").read_text()

    def _start(
        self, argv: list[str | Path], log: Path, environment: Mapping[str, str]
    ) -> subprocess.Popen[bytes]:
        given = {"VMWRIGHT_HOME": str(self.home), "PYTHONUNBUFFERED": "1", **NO_CACHE}
        with log.open("wb") as file:
            return subprocess.Popen(
                [*self._namespace(), *argv],
                cwd=self.home,
                env={**os.environ, **self.environment, **environment, **given},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def boot(self) -> None:
        """Start the host anew, as far as its workers can tell: those that begin from now on are in it."""
        self.boot_id = self.home.with_name("boot-id")
        self.boot_id.write_text(f"{uuid.uuid4()}\n")

    def power_off(self) -> None:
        """End everything that runs on the host, and what it has of the kernel."""
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.kill()
        for group in Path("/sys/fs/cgroup").rglob("vmwright-*"):
            if any(group.name.startswith(f"vmwright-{one.name[:8]}") for one in self.home.glob("builds/*")):
                wait_until(partial(_removed, group))
        loops = (file for file in Path("/sys/block").glob("loop*/loop/backing_file"))
        for loop in [file for file in loops if str(self.home) in file.read_text()]:
            detach = [which("losetup") or "losetup", "--detach", f"/dev/{loop.parts[3]}"]
            subprocess.run(detach, check=True, timeout=PATIENCE)

    def _namespace(self) -> list[str]:
        if self.boot_id:
            unshared = ["unshare", "--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"]
            return [*unshared, "--mount-proc", "sh", "-e", "-c", ANOTHER_BOOT, "sh", str(self.boot_id)]
        if self.identity is None:
            return []
        # exec all the way, so that the process is the worker itself
        unshared = ["unshare", "--mount", "--propagation", "private", "--", "sh", "-e", "-c", ANOTHER_HOST]
        return [*unshared, "sh", str(self.identity), *map(str, self.hidden), "--"]


class Farm:
    """Hosts on one database; ``hosts`` are those that were added."""

    def __init__(self, folder: Path, database: DatabaseSettings, store: StoreSettings) -> None:
        self.folder = folder
        self.hosts: list[Host] = []
        self._settings = (database, store)
        self._environment: dict[str, str] = {}
        self._database: Database | None = None

    @classmethod
    @contextlib.contextmanager
    def opened(
        cls, folder: Path, database: DatabaseSettings | None = None, store: StoreSettings | None = None
    ) -> Iterator[Farm]:
        """Have a farm; at its end all workers are killed, and what they have left is removed."""
        farm = cls(folder, database or DatabaseSettings(), store or StoreSettings())
        try:
            yield farm
        finally:
            for host in farm.hosts:
                for worker in host.workers:
                    if worker.process.poll() is None:
                        worker.kill()
                host.clear_up()
            if farm._database:
                farm._database.close()

    def add_host(self, *, other: bool = False, **environment: str) -> Host:
        """Add a host: this one, or ``other`` ones, with a home of its own."""
        place = self.folder / f"host{len(self.hosts)}"
        (home := place / "home").mkdir(parents=True)
        (home / "vmwright.toml").write_text(_configuration(*self._settings))
        host = Host(home, environment=environment)
        if other:
            host.identity = place / "machine-id"
            host.identity.write_text(f"{uuid.uuid4().hex}\n")
        self.hosts.append(host)
        for one in self.hosts:
            one.hidden = tuple(each.home for each in self.hosts if each is not one)
        return host

    def command(self, host: Host) -> Vmwright:
        """Return the command, as it is typed on a host of this machine's own id."""
        return Vmwright(host.home, {**host.environment, **NO_CACHE})

    @property
    def database(self) -> Database:
        """The records of the farm."""
        if self._database is None:
            settings, _ = self._settings
            self._database = open_database(Settings(home=self.hosts[0].home, database=settings))
        return self._database

    def submit(self, template: Path, *arguments: str) -> str:
        """Queue a template and return the build's id."""
        done = self.command(self.hosts[0])("build", template, "--detach", "--json", *arguments)
        assert done.code == 0, done.err
        (queued,) = done.events("BuildQueued")
        return str(queued["build"])

    def build(self, build_id: str) -> BuildRow:
        """Return the row of a build as it is now."""
        with self.database.session() as session:
            return session.get_one(BuildRow, build_id)

    def owner_of(self, build_id: str) -> int | None:
        """Return the process id of the worker that has a build."""
        with self.database.session() as session:
            asked = select(ExecutorRow.pid).join(BuildRow, BuildRow.executor == ExecutorRow.id)
            return session.scalar(asked.where(BuildRow.id == build_id))

    def unfinished(self) -> list[str]:
        """Return the ids of the builds that have not ended."""
        with self.database.session() as session:
            return list(session.scalars(select(BuildRow.id).where(BuildRow.ended_at.is_(None))))

    def ended(self, build_id: str, *, within: float = PATIENCE) -> BuildRow:
        """Return the row of a build that has succeeded, as soon as it has."""
        wait_until(lambda: self.build(build_id).ended_at, within=within, otherwise=self.told)
        row = self.build(build_id)
        assert row.run_state == "Succeeded", f"{row.message}\n{self.told()}"
        return row

    def steps(self, build_id: str) -> list[tuple[int, int, str]]:
        """Return number, attempt and state of all runs of a build's steps."""
        asked = select(StepRow.number, StepRow.attempt, StepRow.state).where(StepRow.build_id == build_id)
        with self.database.session() as session:
            return [(a, b, c) for a, b, c in session.execute(asked.order_by(StepRow.number, StepRow.attempt))]

    def finished_steps(self, build_id: str) -> list[tuple[int, int]]:
        """Return number and attempt of all runs of steps that have succeeded."""
        return [(number, by) for number, by, state in self.steps(build_id) if state == "Succeeded"]

    def worker_log_of(self, build_id: str) -> Path:
        """Return the log of the worker that a build has succeeded on."""
        workers = [worker for host in self.hosts for worker in host.workers]
        word = f"Build {build_id} succeeded"
        wait_until(lambda: any(word in worker.said for worker in workers), otherwise=self.told)
        (log,) = [worker.log for worker in workers if word in worker.said]
        return log

    def left(self) -> set[str]:
        """Name all that is left on this machine and in the database, where no worker runs."""
        found = {trace for host in self.hosts for trace in traces(host.home)}
        with self.database.session() as session:
            found |= {f"claim of {row.kind} {row.identity}" for row in session.scalars(select(ResourceRow))}
            found |= {f"executor {row.id}" for row in session.scalars(select(ExecutorRow))}
            found |= {f"layer {row.path}" for row in session.scalars(select(LayerRow))}
        for host in self.hosts:
            found |= {f"file {path}" for path in host.home.rglob("*.part")}
            found |= {f"file {path}" for path in layers_in(host.home)}
        return found

    def told(self) -> str:
        """Return what all workers have said."""
        workers = [worker for host in self.hosts for worker in host.workers]
        return "\n".join(f"--- {worker.log}\n{worker.said}" for worker in workers)


def layers_in(home: Path) -> list[Path]:
    """Return the files and folders of layers, copies among them."""
    return [*home.glob("layers/*/*"), *home.glob("builds/*/*/layers")]


def counting_template(
    folder: Path, name: str, *, holds: bool = True, steps: tuple[str, ...] = STEPS, seconds: float = 0
) -> Path:
    """Write a template whose steps count themselves in the image.

    :param holds: the second one, once it has counted itself, waits in ``holder`` until it is let go on.
    :param seconds: how long each step takes at least.
    """
    lines = {step: [f"echo {step} | sudo tee -a {COUNT}", f"sleep {seconds:g}"] for step in steps}
    if holds:
        lines[steps[1]].append(f"bash -c 'exec -a {holder(name)} sleep 600' || true")
    customize = [shell(*inline, name=step) for step, inline in lines.items()]
    return write_template(folder, *customize, name=name)


def holder(name: str) -> str:
    """Return how the program is called that a template's second step waits for."""
    return f"holding-{name}"


def holders(name: str) -> set[int]:
    """Return the processes, in whatever container, that hold builds of a template in their second step."""
    mark = holder(name).encode() + b"\0"
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (folder / "cmdline").read_bytes().startswith(mark):
                found.add(int(folder.name))
    return found


def held(name: str, *, without: frozenset[int] = frozenset(), within: float = PATIENCE) -> int:
    """Return the one process that holds a build in its second step, as soon as it does."""
    wait_until(lambda: holders(name) - without, within=within)
    (one,) = holders(name) - without
    return one


def let_go(name: str) -> None:
    """Have the second step of a build go on."""
    for pid in holders(name):
        os.kill(pid, signal.SIGTERM)


def wait_until(
    condition: Callable[[], Any], *, within: float = PATIENCE, otherwise: Callable[[], str] = str
) -> float:
    """Wait for something that other processes do; return when it was seen."""
    end = time.monotonic() + within
    while not condition():
        assert time.monotonic() < end, otherwise()
        time.sleep(0.05)
    return time.time()


def _removed(cgroup: Path) -> bool:
    with contextlib.suppress(OSError):
        for inside in sorted(cgroup.rglob("*"), reverse=True):
            if inside.is_dir():
                inside.rmdir()
        cgroup.rmdir()
    return not cgroup.exists()


def _configuration(database: DatabaseSettings, store: StoreSettings) -> str:
    lines = ["[worker]", "containers = true"]
    if database.url:
        lines += ["[database]", f"url = {json.dumps(database.url.get_secret_value())}"]
    if store.url:
        lines += ["[store]", f"url = {json.dumps(store.url)}", "[store.options]", *_options(store.options)]
    return "\n".join(lines)


def _options(options: Mapping[str, object]) -> Iterator[str]:
    for key, value in options.items():
        assert isinstance(value, SecretStr)
        yield f"{key} = {json.dumps(value.get_secret_value())}"
