"""The SSH transport against a real SSH server on loopback that runs real shells."""

from __future__ import annotations

import asyncio
import contextlib
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import asyncssh
import pytest

from vmwright.errors import MachineError
from vmwright.events import Stream
from vmwright.guests.ssh import SshAddress, SshTransport

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


Reader = asyncio.StreamReader | asyncssh.SSHReader[bytes]
Writer = asyncio.StreamWriter | asyncssh.SSHWriter[bytes]


class Guest:
    """An SSH server whose commands are run by the host's own shell."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.client_key = asyncssh.generate_private_key("ssh-ed25519")
        self.host_key = asyncssh.generate_private_key("ssh-ed25519")
        self.port = 0
        self._acceptor: asyncssh.SSHAcceptor | None = None
        self.connections: list[asyncssh.SSHServerConnection] = []

    async def up(self) -> None:
        self._acceptor = await asyncssh.listen(
            "127.0.0.1",
            self.port,
            server_host_keys=[self.host_key],
            authorized_client_keys=asyncssh.import_authorized_keys(
                self.client_key.export_public_key().decode()
            ),
            process_factory=self._run,
            encoding=None,
            acceptor=self.connections.append,
        )
        self.port = self._acceptor.get_port()

    async def down(self) -> None:
        for connection in self.connections:
            connection.abort()
        self.connections.clear()
        if self._acceptor:
            self._acceptor.close()
            await self._acceptor.wait_closed()

    def address(self) -> SshAddress:
        return SshAddress("127.0.0.1", self.port, "packer", self.client_key, self.host_key)

    async def _run(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        shell = await asyncio.create_subprocess_exec(
            "/bin/sh",
            "-c",
            process.command or "",
            cwd=self.folder,
            env={**os.environ, "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}"},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert shell.stdin
        assert shell.stdout
        assert shell.stderr
        feeding = asyncio.create_task(pump(process.stdin, shell.stdin))
        try:
            await asyncio.gather(pump(shell.stdout, process.stdout), pump(shell.stderr, process.stderr))
            code = await shell.wait()
            if code < 0:
                process.exit_with_signal("KILL" if code == -9 else "TERM")
            else:
                process.exit(code)
        finally:
            feeding.cancel()
            if shell.returncode is None:
                shell.kill()
                await shell.wait()


async def pump(reader: Reader, writer: Writer) -> None:
    with contextlib.suppress(ConnectionError, asyncssh.Error):
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
        if isinstance(writer, asyncio.StreamWriter):  # an SSH channel's end would cut off the other stream
            writer.write_eof()


@contextlib.asynccontextmanager
async def guest_in(folder: Path) -> AsyncIterator[Guest]:
    guest = Guest(folder)
    await guest.up()
    try:
        yield guest
    finally:
        await guest.down()


@pytest.fixture
async def guest(tmp_path: Path) -> AsyncIterator[Guest]:
    async with guest_in(tmp_path) as guest:
        yield guest


@pytest.fixture
async def transport(guest: Guest) -> AsyncIterator[SshTransport]:
    transport = SshTransport(guest.address(), lost=lambda: None, patience=20)
    await transport.connect(timeout=20)
    yield transport
    await transport.close()


@pytest.mark.parametrize(
    ("command", "code"), [("exit 0", 0), ("exit 7", 7), ("exit 255", 255), ("kill -9 $$", 137)]
)
async def test_a_commands_own_exit_code_comes_back(transport: SshTransport, command: str, code: int) -> None:
    assert (await transport.execute(command)).exit_code == code


async def test_output_is_kept_apart_and_input_is_given(transport: SshTransport) -> None:
    ended = await transport.execute("cat; echo oops >&2", stdin=b"\x00\xffbytes")
    assert (ended.stdout, ended.stderr) == (b"\x00\xffbytes", b"oops\n")


async def test_output_comes_while_the_command_still_runs(transport: SshTransport, tmp_path: Path) -> None:
    seen = asyncio.Event()
    chunks: list[tuple[Stream, bytes]] = []

    def sink(stream: Stream, chunk: bytes) -> None:
        chunks.append((stream, chunk))
        seen.set()

    running = asyncio.create_task(
        transport.execute("echo first; until [ -e go ]; do sleep 0.05; done; exit 3", sink=sink)
    )
    await seen.wait()
    assert chunks == [(Stream.STDOUT, b"first\n")]
    (tmp_path / "go").touch()
    ended = await running
    assert (ended.exit_code, ended.stdout) == (3, b"")


async def test_more_input_than_a_command_reads_is_no_error(transport: SshTransport) -> None:
    assert (await transport.execute("exit 4", stdin=b"x" * 4_000_000)).exit_code == 4


async def test_a_lost_connection_has_no_exit_code_and_the_next_command_connects_again(
    guest: Guest, transport: SshTransport
) -> None:
    seen = asyncio.Event()
    running = asyncio.create_task(transport.execute("echo up; exec sleep 60", sink=lambda *_: seen.set()))
    await seen.wait()
    await guest.down()
    assert (await running).exit_code is None
    await guest.up()
    assert (await transport.execute("exit 5")).exit_code == 5


async def test_aborting_ends_what_runs(transport: SshTransport) -> None:
    seen = asyncio.Event()
    running = asyncio.create_task(transport.execute("echo up; exec sleep 60", sink=lambda *_: seen.set()))
    await seen.wait()
    transport.abort()
    assert (await running).exit_code is None


async def test_the_time_limit_of_a_command_is_an_error(transport: SshTransport) -> None:
    with pytest.raises(MachineError, match=r"did not finish within 0\.3 seconds: exec sleep 2"):
        await transport.execute("exec sleep 2", timeout=0.3)
    assert (await transport.execute("exit 6")).exit_code == 6


async def test_root_is_asked_for_without_a_prompt_and_gets_the_command_unchanged(
    transport: SshTransport, tmp_path: Path
) -> None:
    sudo = tmp_path / "bin" / "sudo"
    sudo.parent.mkdir()
    sudo.write_text('#!/bin/sh\n[ "$1 $2 $3" = "-n -H --" ] || exit 9\nshift 3\nSUDO=yes exec "$@"\n')
    sudo.chmod(0o755)
    ended = await transport.execute('printf \'%s\\n\' "it\'s" "$SUDO" $((1 + 1))', as_root=True)
    assert (ended.exit_code, ended.stdout) == (0, b"it's\nyes\n2\n")


async def test_another_host_key_is_refused_until_the_deadline(guest: Guest) -> None:
    wrong = replace(guest.address(), host_key=asyncssh.generate_private_key("ssh-ed25519"))
    transport = SshTransport(wrong, lost=lambda: None)
    with pytest.raises(MachineError, match="Host key is not trusted"):
        await transport.connect(timeout=1.5)


async def test_a_machine_that_is_gone_is_not_waited_for() -> None:
    gone = MachineError("QEMU ended with exit code -9")
    key = asyncssh.generate_private_key("ssh-ed25519")
    transport = SshTransport(SshAddress("127.0.0.1", 1, "packer", key, key), lost=lambda: gone)
    with pytest.raises(MachineError, match="QEMU ended"):
        await transport.execute("true")


async def test_a_port_that_accepts_and_stays_silent_is_left_for_the_guest_that_comes_up(
    tmp_path: Path,
) -> None:
    tried = asyncio.Event()

    async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tried.set()
        await asyncio.sleep(0.1)
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    guest = Guest(tmp_path)
    guest.port = port
    transport = SshTransport(guest.address(), lost=lambda: None)
    connecting = asyncio.create_task(transport.connect(timeout=30))
    await tried.wait()
    server.close()
    await server.wait_closed()
    await guest.up()
    await connecting
    assert (await transport.execute("echo up")).stdout == b"up\n"
    await transport.close()
    await guest.down()


async def test_a_file_arrives_whole_with_its_mode_and_progress(tmp_path: Path) -> None:
    async with guest_in(tmp_path) as guest:
        transport = SshTransport(guest.address(), lost=lambda: None)
        source, copy = tmp_path / "source", tmp_path / "copy of it's"
        source.write_bytes(os.urandom(700_000))
        progress: list[tuple[int, int]] = []
        await transport.put(source, str(copy), mode=0o750, progress=lambda *counts: progress.append(counts))
        await transport.close()
    assert copy.read_bytes() == source.read_bytes()
    assert copy.stat().st_mode & 0o777 == 0o750
    assert progress[-1] == (700_000, 700_000)


async def test_a_refused_file_says_why(tmp_path: Path) -> None:
    async with guest_in(tmp_path) as guest:
        transport = SshTransport(guest.address(), lost=lambda: None)
        (tmp_path / "source").write_bytes(b"x")
        with pytest.raises(
            MachineError, match=r"refused the file .*/no/copy: .*([Nn]o such file|nonexistent)"
        ) as raised:
            await transport.put(tmp_path / "source", str(tmp_path / "no" / "copy"), mode=0o644)
        assert raised.value.target == str(tmp_path / "no" / "copy")
        await transport.close()


async def test_a_connection_that_is_lost_under_a_file_is_no_refusal(
    guest: Guest, transport: SshTransport, tmp_path: Path
) -> None:
    source, pipe = tmp_path / "source", tmp_path / "pipe"
    source.write_bytes(bytes(1 << 20))
    os.mkfifo(pipe)
    writing = asyncio.create_task(transport.put(source, str(pipe), mode=0o644))
    unread = await asyncio.to_thread(os.open, pipe, os.O_RDONLY)
    await guest.down()
    with pytest.raises(MachineError, match=r"The connection to the guest was lost while .*/pipe was written"):
        await writing
    os.close(unread)
