"""SSH to a Linux guest: one connection, made again after a restart, without any idle time-out.

The guest's host key is known before the first connection (it is in the seed), so every connection is
verified; a port that something else answers at is refused.
"""

from __future__ import annotations

import asyncio
import contextlib
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

import asyncssh

from vmwright.errors import MachineError
from vmwright.events import Stream
from vmwright.guests.transport import Ended, read_by_cat
from vmwright.process import MOST_OUTPUT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from vmwright.guests.transport import OutputSink, ProgressSink

CHUNK = 1 << 16
# a busy emulated guest takes long to greet, and each attempt given up early costs it another server process;
# where no guest listens, whatever forwards the port ends the attempt long before this
ATTEMPT_SECONDS = 60.0
PAUSE_SECONDS = 0.3
KEEPALIVE_SECONDS, KEEPALIVES_MISSED = 15, 8
LOST = (asyncssh.ConnectionLost, asyncssh.DisconnectError, ConnectionError)


@dataclass(frozen=True, slots=True)
class SshAddress:
    """Where a guest listens, as whom to log in, with which key, and the host key it must show."""

    host: str
    port: int
    user: str
    client_key: asyncssh.SSHKey
    host_key: asyncssh.SSHKey


class SshTransport:
    """Commands and files over SSH.

    :param lost: asked before every attempt to connect; returns the error to raise where the machine is gone
        for good, so that nobody waits for a guest that cannot answer.
    :param patience: seconds for which ``execute`` and ``put`` try to connect again.
    """

    def __init__(
        self, address: SshAddress, *, lost: Callable[[], MachineError | None], patience: float = 60.0
    ) -> None:
        self.address = address
        self._lost = lost
        self._patience = patience
        self._connection: asyncssh.SSHClientConnection | None = None

    async def connect(self, *, timeout: float) -> None:
        """Connect, trying again for ``timeout`` seconds.

        :raises MachineError: no attempt succeeded; the message has the last one's reason.
        """
        await self.close()
        deadline = asyncio.get_running_loop().time() + timeout
        reason = "nothing was tried"
        while (left := deadline - asyncio.get_running_loop().time()) > 0:
            if error := self._lost():
                raise error
            try:
                async with asyncio.timeout(min(ATTEMPT_SECONDS, left)):
                    self._connection = await self._open()
            except TimeoutError:
                reason = "no answer"
            except (OSError, asyncssh.Error) as error:
                reason = str(error) or type(error).__name__
            else:
                return
            await asyncio.sleep(PAUSE_SECONDS)
        raise MachineError(f"The guest could not be reached by SSH within {timeout:g} seconds: {reason}")

    async def execute(
        self,
        command: str,
        *,
        as_root: bool = False,
        stdin: bytes | Path = b"",
        sink: OutputSink | None = None,
        timeout: float | None = None,
    ) -> Ended:
        """Run one command line of the guest's shell; see ``Transport.execute``.

        A command that a signal ended has 128 + its number as exit code, as shells count.
        """
        connection = await self._connected()
        line = f"sudo -n -H -- /bin/sh -c {shlex.quote(command)}" if as_root else command
        stdout, stderr = bytearray(), bytearray()
        try:
            async with asyncio.timeout(timeout), _process(connection, line) as running:
                await asyncio.gather(
                    _feed(running, stdin) if isinstance(stdin, bytes) else _send(running, stdin, None),
                    _drain(running.stdout, stdout, Stream.STDOUT, sink),
                    _drain(running.stderr, stderr, Stream.STDERR, sink),
                )
                await running.wait_closed()
                return Ended(_exit_code(running), bytes(stdout), bytes(stderr))
        except TimeoutError:
            raise MachineError(f"The guest did not finish within {timeout:g} seconds: {command}") from None
        except LOST:
            self._drop(connection)
            return Ended(None, bytes(stdout), bytes(stderr))
        except asyncssh.Error as error:
            raise MachineError(f"The guest refused to run a command: {error}") from None

    async def put(
        self, source: Path, destination: str, *, mode: int, progress: ProgressSink | None = None
    ) -> None:
        """Write a file of the host into the guest; SFTP, which some lack, takes longer to start than this."""
        connection = await self._connected()
        said, path = bytearray(), shlex.quote(destination)
        try:
            async with _process(connection, f"cat > {path} && chmod {mode:o} {path}") as running:
                await asyncio.gather(
                    _send(running, source, progress), _drain(running.stderr, said, Stream.STDERR, None)
                )
                await running.wait_closed()
                exit_code = _exit_code(running)
        except LOST:
            exit_code = None
        except (asyncssh.Error, OSError) as error:
            raise _refused(destination, str(error)) from None
        if exit_code is None:
            self._drop(connection)
            raise MachineError(
                f"The connection to the guest was lost while {destination} was written", target=destination
            )
        if exit_code != 0:
            raise _refused(destination, said.decode(errors="replace").strip())

    async def read(self, path: str) -> bytes | None:
        """Return what a file holds; see ``Transport.read``."""
        return await read_by_cat(self, path)

    async def close(self) -> None:
        """End the connection."""
        connection, self._connection = self._connection, None
        if connection:
            connection.close()
            await connection.wait_closed()

    def abort(self) -> None:
        """Drop the connection at once: its guest has been reset, or is gone."""
        if self._connection:
            self._drop(self._connection)

    def _drop(self, connection: asyncssh.SSHClientConnection) -> None:
        """Drop a connection that was lost; another one may have taken its place."""
        if self._connection is connection:
            self._connection = None
        connection.abort()

    async def _connected(self) -> asyncssh.SSHClientConnection:
        if self._connection is None or self._connection.is_closed():
            await self.connect(timeout=self._patience)
        if self._connection is None:
            raise MachineError("The connection to the guest was closed")
        return self._connection

    async def _open(self) -> asyncssh.SSHClientConnection:
        return await asyncssh.connect(
            self.address.host,
            self.address.port,
            username=self.address.user,
            client_keys=[self.address.client_key],
            known_hosts=([self.address.host_key.convert_to_public()], [], []),
            server_host_key_algs=[self.address.host_key.get_algorithm()],
            preferred_auth="publickey",
            agent_path=None,
            config=None,
            keepalive_interval=KEEPALIVE_SECONDS,
            keepalive_count_max=KEEPALIVES_MISSED,
        )


@contextlib.asynccontextmanager
async def _process(
    connection: asyncssh.SSHClientConnection, command: str
) -> AsyncIterator[asyncssh.SSHClientProcess[bytes]]:
    process = await connection.create_process(command, encoding=None)
    try:
        yield process
    finally:
        process.close()


async def _feed(process: asyncssh.SSHClientProcess[bytes], data: bytes) -> None:
    with contextlib.suppress(BrokenPipeError):  # the command need not read what it is given
        if data:
            process.stdin.write(data)
            await process.stdin.drain()
        process.stdin.write_eof()


async def _send(
    process: asyncssh.SSHClientProcess[bytes], source: Path, progress: ProgressSink | None
) -> None:
    total, done = source.stat().st_size, 0
    with source.open("rb") as file, contextlib.suppress(BrokenPipeError):
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            process.stdin.write(chunk)
            await process.stdin.drain()
            done += len(chunk)
            if progress:
                progress(done, total)
        process.stdin.write_eof()


async def _drain(
    reader: asyncssh.SSHReader[bytes], into: bytearray, stream: Stream, sink: OutputSink | None
) -> None:
    while chunk := await reader.read(CHUNK):
        if sink:
            sink(stream, chunk)
        elif len(into) + len(chunk) > MOST_OUTPUT:
            raise MachineError(f"The guest answered more than {MOST_OUTPUT >> 20} MiB")
        else:
            into.extend(chunk)


def _exit_code(process: asyncssh.SSHClientProcess[bytes]) -> int | None:
    code = process.returncode
    return 128 - code if code is not None and code < 0 else code


def _refused(destination: str, why: str) -> MachineError:
    return MachineError(f"The guest refused the file {destination}: {why}", target=destination)
