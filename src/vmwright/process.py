"""The one door to programs of this host.

Programs are started from an argument list, never through a shell, each in a session of its own, so
that ending it ends its children too. ``run`` is for programs that end by themselves, ``start`` for
those that stay (a machine, a storage daemon). Each carries the mark of this process (``marks.py``).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmwright.errors import ProcessError
from vmwright.marks import owned

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from pathlib import Path

LAST_LINES = 8
READY_SECONDS = 15.0
POLL_SECONDS = 0.01
CHUNK = 1 << 16
MOST_OUTPUT = 64 << 20


@dataclass(frozen=True, slots=True)
class Finished:
    """A program that has ended: its arguments, exit code (negative: the signal) and output."""

    argv: tuple[str, ...]
    returncode: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """Standard output as text, without the white space around it."""
        return self.stdout.decode(errors="replace").strip()


async def run(
    argv: Sequence[str | os.PathLike[str]],
    *,
    timeout: float,
    stdin: bytes | Path | AsyncIterator[bytes] | None = None,
    check: bool = True,
    env: Mapping[str, str] | None = None,
    on_start: Callable[[int], None] | None = None,
    on_stdout: Callable[[bytes], None] | None = None,
    on_stderr: Callable[[bytes], None] | None = None,
    pass_fds: Sequence[int] = (),
    hint: str | None = None,
) -> Finished:
    """Run a program to its end.

    :param timeout: seconds; when they are over, the program and its children are killed.
    :param stdin: bytes to send (whole, or piece by piece as the program takes them), or a file to read
        from; without it standard input is empty.
    :param env: variables added to this process's environment.
    :param on_start: told the process id.
    :param on_stdout: given each chunk as it comes; ``Finished.stdout`` is then empty (likewise stderr).
    :param pass_fds: open files that it inherits under the same numbers.
    :raises ProcessError: the program is missing, ran out of time or (with ``check``) failed; the
        message has its arguments, exit code and last lines.
    """
    command = _strings(argv)
    with contextlib.ExitStack() as files:
        source: int | object = asyncio.subprocess.DEVNULL
        if isinstance(stdin, os.PathLike):
            source = files.enter_context(stdin.open("rb"))
        elif stdin is not None:
            source = asyncio.subprocess.PIPE
        process = await _spawn(command, stdin=source, env=env, hint=hint, pass_fds=pass_fds)
    if on_start:
        on_start(process.pid)
    stdout, stderr = _Kept(command), _Kept(command)
    streams = [
        asyncio.ensure_future(_feed(process, stdin)),
        asyncio.ensure_future(_drain(process.stdout, on_stdout or stdout)),
        asyncio.ensure_future(_drain(process.stderr, on_stderr or stderr)),
    ]
    try:
        async with asyncio.timeout(timeout):
            await asyncio.gather(*streams)
            returncode = await process.wait()
    except TimeoutError:
        raise ProcessError(
            f"{command[0]} did not end within {timeout:g} seconds: {shlex.join(command)}", hint=hint
        ) from None
    finally:
        for stream in streams:
            stream.cancel()
        await asyncio.wait(streams)
        await _kill_session(process)
    finished = Finished(command, returncode, bytes(stdout.data), bytes(stderr.data))
    if check and returncode != 0:
        raise failure(finished, hint=hint)
    return finished


def failure(finished: Finished, *, hint: str | None = None) -> ProcessError:
    """Return the error that tells how a program failed: arguments, exit code, last lines of stderr."""
    lines = (finished.stderr or finished.stdout).decode(errors="replace").strip().splitlines()
    said = "\n".join(f"    {line}" for line in lines[-LAST_LINES:])
    text = f"{finished.argv[0]} failed with exit code {finished.returncode}: {shlex.join(finished.argv)}"
    return ProcessError(f"{text}\n{said}" if said else text, hint=hint)


class _Program(asyncio.subprocess.Process):
    """A program that has been started, with our ends of its pipes."""

    def __init__(self, ends: asyncio.SubprocessTransport, protocol: asyncio.SubprocessProtocol) -> None:
        super().__init__(ends, protocol, asyncio.get_running_loop())
        self._ends = ends

    def hang_up(self) -> None:
        """Close our ends of the pipes, whoever else holds the others, and whatever is still in them."""
        for output in (1, 2):
            if end := self._ends.get_pipe_transport(output):
                end.close()
        if self.stdin:
            # closed in good order, it would wait until somebody takes what is left
            end = self.stdin.transport
            (end.abort if end.get_write_buffer_size() else end.close)()


class Running:
    """A program that stays until it is told to end."""

    def __init__(self, process: _Program, argv: tuple[str, ...], log: Path) -> None:
        self._process = process
        self.argv = argv
        self.log = log

    @property
    def pid(self) -> int:
        """The process id, which is also its session and process group."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code (negative: the signal), or None while it runs."""
        return self._process.returncode

    async def wait(self) -> int:
        """Wait for the program's own end and return its exit code."""
        return await self._process.wait()

    async def end(self, *, grace: float = 5.0) -> int:
        """Ask the program to end (SIGTERM), kill it and its children after ``grace`` seconds."""
        try:
            if self._process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    self._process.terminate()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(grace):
                        await self._process.wait()
        finally:
            await _kill_session(self._process)
        return await self._process.wait()

    def last_lines(self, count: int = LAST_LINES) -> str:
        """Return the last lines that the program wrote."""
        lines = self.log.read_text(errors="replace").strip().splitlines() if self.log.exists() else []
        return "\n".join(lines[-count:])

    async def is_ready(self, ready: Callable[[], object], *, within: float = READY_SECONDS) -> bool:
        """Wait until the program is ready, of which there is no event; False where it has ended or hangs.

        :param ready: tells whether it is, at once; ``within``: seconds.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                while self.returncode is None:
                    if ready():
                        return True
                    await asyncio.sleep(POLL_SECONDS)
        return False


async def start(
    argv: Sequence[str | os.PathLike[str]],
    *,
    log: Path,
    stdin: int = asyncio.subprocess.DEVNULL,
    env: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
    hint: str | None = None,
) -> Running:
    """Start a program that stays; what it prints goes to the file ``log``.

    :param stdin: an open file that it reads from; without it standard input is empty.
    :param pass_fds: open files that it inherits under the same numbers.
    :raises ProcessError: the program is missing.
    """
    command = _strings(argv)
    with log.open("ab") as output:
        process = await _spawn(
            command,
            stdin=stdin,
            env=env,
            hint=hint,
            output=output.fileno(),
            pass_fds=pass_fds,
        )
    return Running(process, command, log)


def which(program: str) -> str | None:
    """Return where a program is, also when the system folders are not on PATH (a plain user's Debian)."""
    return shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")


async def _spawn(
    command: tuple[str, ...],
    *,
    stdin: object,
    env: Mapping[str, str] | None,
    hint: str | None,
    output: int = asyncio.subprocess.PIPE,
    pass_fds: Sequence[int] = (),
) -> _Program:
    program = which(command[0])
    if program is None:
        raise ProcessError(
            f"{command[0]} is not installed on this host",
            hint=hint or "vmwright doctor names what is missing and the command that adds it",
        )
    loop = asyncio.get_running_loop()
    ends, protocol = await loop.subprocess_exec(
        lambda: asyncio.subprocess.SubprocessStreamProtocol(CHUNK, loop),
        program,
        *command[1:],
        stdin=stdin,  # type: ignore[arg-type]
        stdout=output,
        stderr=output,
        env={**os.environ, **owned(), **(env or {})},
        start_new_session=True,
        pass_fds=pass_fds,
    )
    return _Program(ends, protocol)


async def _feed(process: _Program, data: bytes | Path | AsyncIterator[bytes] | None) -> None:
    if process.stdin is None or data is None or isinstance(data, os.PathLike):
        return
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        if isinstance(data, bytes):
            process.stdin.write(data)
        else:
            async for piece in data:
                process.stdin.write(piece)
                await process.stdin.drain()
        await process.stdin.drain()
    process.stdin.close()


async def _drain(stream: asyncio.StreamReader | None, sink: Callable[[bytes], object]) -> None:
    while stream is not None and (chunk := await stream.read(CHUNK)):
        sink(chunk)


class _Kept:
    """What a program prints, kept up to a bound, for it may be a guest's."""

    def __init__(self, command: tuple[str, ...]) -> None:
        self.data = bytearray()
        self._command = command

    def __call__(self, chunk: bytes) -> None:
        """Keep what was read; more of it than is kept is an error, which ends the program."""
        if len(self.data) + len(chunk) > MOST_OUTPUT:
            said = f"{self._command[0]} printed more than {MOST_OUTPUT >> 20} MiB"
            raise ProcessError(f"{said}: {shlex.join(self._command)}")
        self.data.extend(chunk)


async def _kill_session(process: _Program) -> None:
    """Kill what is left of a program's session: the group outlives its leader where children stay.

    What has left the session may live on with the other ends of the pipes, so they are not read to their end.
    """
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    # asyncio tells of the program's end only when these are closed, too
    process.hang_up()
    await process.wait()


def _strings(argv: Sequence[str | os.PathLike[str]]) -> tuple[str, ...]:
    return tuple(os.fspath(argument) for argument in argv)
