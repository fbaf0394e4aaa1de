"""Reaching a guest that is a container on this host: its namespaces are entered, nothing listens.

A command first joins the container's cgroup, then its namespaces, and starts there with an empty environment:
as the build user through a login of its own (``su -l``, so PAM, limits and /etc/environment are as over SSH),
as root through a plain ``sh``.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shlex
import signal
from pathlib import Path
from typing import TYPE_CHECKING

from vmwright import process
from vmwright.artifacts.foreign_tree import ForeignTree
from vmwright.errors import MachineError, ProcessError
from vmwright.events import Stream
from vmwright.guests.linux import ASK_STOPPING, says_stopping
from vmwright.guests.transport import Ended, read_by_cat
from vmwright.state.host import started

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from vmwright.guests.transport import OutputSink, ProgressSink

CLEAN = ("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "TERM=dumb")
LONGEST = 7 * 24 * 3600.0
PIECE = 1 << 20
BY_SIGNAL = 128
STOPPING_SECONDS = 30.0
AWAKE_SECONDS = 1.0
# in /proc/PID/stat
STOPPED = "T"
EXITING = 0x4
SHUTDOWN = "systemd-shutdow"  # cut off there


class NsenterTransport:
    """The way into one container.

    :param user: the build user.
    """

    def __init__(self, user: str) -> None:
        self._user = user
        self._leader = 0
        self._since = ""
        self._within: tuple[str, ...] = ()

    def lead_to(self, leader: int, within: tuple[str, ...]) -> None:
        """Lead to the container's present life: its init, and what joins its cgroup (a command's start)."""
        self._leader = leader
        self._since = started(leader)
        self._within = within

    @property
    def leader(self) -> int:
        """The process id of the container's init."""
        return self._leader

    @property
    def tree(self) -> ForeignTree:
        """The files that the container sees, with what it has mounted."""
        return ForeignTree.of_process(self._leader)

    @property
    def is_up(self) -> bool:
        """Whether the container's init is there (its process id alone would say nothing: ids are reused)."""
        return bool(self._since) and started(self._leader) == self._since

    async def execute(
        self,
        command: str,
        *,
        as_root: bool = False,
        stdin: bytes | Path = b"",
        sink: OutputSink | None = None,
        timeout: float | None = None,
    ) -> Ended:
        """Run one command line; see ``Transport.execute``."""
        if not self.is_up:
            return Ended(None)
        async with _given(stdin) as data:
            ended = await self._run(command, as_root=as_root, stdin=data, sink=sink, timeout=timeout)
        lost = ended.returncode < 0  # killed from outside, with the container
        killed = ended.returncode > BY_SIGNAL
        if lost or not self.is_up or (killed and await self.is_stopping()):
            return Ended(None, ended.stdout, ended.stderr)
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    async def is_stopping(self) -> bool:
        """Return whether the container is gone or on its way down, also where something still delays that."""
        if not self.is_up or _is_last_act(self._leader):
            return True
        answer = await self._run(ASK_STOPPING, as_root=True, timeout=STOPPING_SECONDS)
        return not self.is_up or _is_last_act(self._leader) or says_stopping(answer.stdout)

    async def put(
        self, source: Path, destination: str, *, mode: int, progress: ProgressSink | None = None
    ) -> None:
        """Write a file of the host into the container; see ``Transport.put``."""
        quoted = shlex.quote(destination)
        async with _given(source, progress) as pieces:
            ended = await self._run(
                f"cat > {quoted} && chmod {mode:o} {quoted}", stdin=pieces, timeout=LONGEST
            )
        if ended.returncode != 0:
            said = ended.stderr.decode(errors="replace").strip()
            raise MachineError(f"The guest refused {destination}: {said}", target=destination)

    async def read(self, path: str) -> bytes | None:
        """Return what a file holds; see ``Transport.read``. The guest is asked only where a link is in it."""
        if not self.is_up:
            return None
        try:
            return await asyncio.to_thread(self.tree.read, path)
        except FileNotFoundError:
            return None
        except OSError:
            return await read_by_cat(self, path)

    async def close(self) -> None:
        """Do nothing: there is no connection to end."""

    def arguments(self, command: str, *, as_root: bool) -> list[str]:
        """Return the host's command line that runs a command line of the guest's shell."""
        entering = [*self._within, "nsenter", "--target", str(self._leader), "--all"]
        if as_root:
            home = ["-C", "/root", "HOME=/root", "USER=root", "LOGNAME=root"]
            return [*entering, "env", "-i", *home, *CLEAN, "sh", "-c", command]
        return [*entering, "env", "-i", *CLEAN, "su", "--login", self._user, "--command", command]

    async def _run(
        self,
        command: str,
        *,
        as_root: bool = False,
        stdin: bytes | AsyncIterator[bytes] = b"",
        sink: OutputSink | None = None,
        timeout: float | None = None,
    ) -> process.Finished:
        begun: dict[int, str] = {}
        run = asyncio.ensure_future(
            process.run(
                self.arguments(command, as_root=as_root),
                timeout=LONGEST,
                stdin=stdin,
                check=False,
                on_start=lambda pid: begun.update({pid: started(pid)}),
                on_stdout=(lambda chunk: sink(Stream.STDOUT, chunk)) if sink else None,
                on_stderr=(lambda chunk: sink(Stream.STDERR, chunk)) if sink else None,
            )
        )
        try:
            async with asyncio.timeout(timeout):
                await _end_of(run, begun)
            return run.result()
        except TimeoutError:
            raise MachineError(f"The guest did not end within {timeout:g} seconds: {command}") from None
        except ProcessError as error:
            raise MachineError(f"The container cannot be entered: {error.message}", hint=error.hint) from None
        finally:
            if not run.done():
                # before the run itself: a login shell has a session of its own, and orphans name no parent
                for pid in _still(begun):
                    _kill_family(pid)
                run.cancel()
                await asyncio.wait({run})


@contextlib.asynccontextmanager
async def _given(
    stdin: bytes | Path, progress: ProgressSink | None = None
) -> AsyncIterator[bytes | AsyncIterator[bytes]]:
    """Open what a command is given to read; it may end before it has read all of a file."""
    if isinstance(stdin, bytes):
        yield stdin
        return
    async with contextlib.aclosing(_pieces(stdin, progress)) as pieces:
        yield pieces


async def _pieces(source: Path, progress: ProgressSink | None) -> AsyncGenerator[bytes, None]:
    total, done = source.stat().st_size, 0
    with source.open("rb") as file:
        while piece := await asyncio.to_thread(file.read, PIECE):
            yield piece
            done += len(piece)
            if progress:
                progress(done, total)


def _is_last_act(leader: int) -> bool:
    """Whether a container's init exits, or is the program that does nothing but end all others."""
    with contextlib.suppress(OSError):
        _, name, rest = re.split(r"[()]", Path(f"/proc/{leader}/stat").read_text())
        return name == SHUTDOWN or bool(int(rest.split()[6]) & EXITING)
    return False


async def _end_of(run: asyncio.Task[process.Finished], begun: dict[int, str]) -> None:
    """Wait for a command's end and keep its nsenter awake meanwhile.

    A container on its way down stops what runs in it for a moment. nsenter, outside, then stops itself and is
    not continued with the others, but the container cannot end before nsenter has seen its child's death.
    """
    while not (await asyncio.wait({run}, timeout=AWAKE_SECONDS))[0]:
        for pid in _still(begun):
            with contextlib.suppress(OSError):
                if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == STOPPED:
                    os.kill(pid, signal.SIGCONT)


def _still(begun: dict[int, str]) -> list[int]:
    """Return which processes still run, of some with their starts.

    What an ended nsenter has left in the container may hold its output open until its id is another's.
    """
    return [pid for pid, since in begun.items() if since and started(pid) == since]


def _kill_family(ancestor: int) -> None:
    """Kill a process and all below it; each is stopped before its children are looked up, so none escapes."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(ancestor, signal.SIGSTOP)
        for child in _children(ancestor):
            _kill_family(child)
        os.kill(ancestor, signal.SIGKILL)


def _children(parent: int) -> list[int]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(stat.parent.name))
    return found
