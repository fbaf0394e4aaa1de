"""What a guest that goes on from a saved memory is told, and what nobody else in it may see."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.scripted import ScriptedTransport
from vmwright import process
from vmwright.errors import MachineError
from vmwright.guests.linux import LinuxGuest
from vmwright.guests.transport import Ended, OutputSink
from vmwright.machines.renewal import PREPARE, RENEW, NewKeys, new_keys, prepare, renew
from vmwright.machines.seed import new_access

OLD = new_access("packer")


@pytest.fixture(scope="module")
def keys() -> NewKeys:
    return new_keys(new_access("packer"))


@dataclass
class Listening(ScriptedTransport):
    """A guest that keeps what it is sent."""

    ended: Ended = field(default_factory=lambda: Ended(0, b"boot\n"))
    sent: bytes = b""

    async def execute(
        self,
        command: str,
        *,
        as_root: bool = False,
        stdin: bytes | Path = b"",
        sink: OutputSink | None = None,
        timeout: float | None = None,
    ) -> Ended:
        assert as_root
        assert isinstance(stdin, bytes)
        self.said.append(command)
        self.sent += stdin
        return self.ended


async def renewed(guest: Listening, keys: NewKeys) -> str:
    return await renew(LinuxGuest(guest, "packer"), hostname="own", session=7, old=OLD, new=keys)


async def test_private_keys_and_random_numbers_are_in_no_command_line(keys: NewKeys) -> None:
    guest = Listening()
    assert await renewed(guest, keys) == "boot"
    (command,) = guest.said
    numbers, *lines = guest.sent.decode().splitlines()
    assert len(numbers) == 128
    assert numbers not in command
    assert "PRIVATE KEY" not in command
    assert [line.split()[0] for line in lines if " ssh-" in line or " ecdsa-" in line] == [
        "ed25519",
        "rsa",
        "ecdsa",
    ]
    assert lines.count(".") == 3
    assert keys.access.client_key.export_private_key().decode() not in guest.sent.decode()


async def test_no_two_guests_get_the_same_numbers_or_machine_id(keys: NewKeys) -> None:
    one, two = Listening(), Listening()
    await renewed(one, keys)
    await renewed(two, keys)
    assert one.sent.splitlines()[0] != two.sent.splitlines()[0]
    assert one.said != two.said


async def test_a_guest_that_cannot_be_renewed_is_not_used(keys: NewKeys) -> None:
    with pytest.raises(MachineError, match=r"identity of its own \(exit code 1\): no date$"):
        await renewed(Listening(ended=Ended(1, b"", b"no date\n")), keys)
    with pytest.raises(MachineError, match="exit code None"):
        await renewed(Listening(ended=Ended(None)), keys)


async def test_the_session_is_what_the_guest_prints() -> None:
    assert await prepare(LinuxGuest(Listening(ended=Ended(0, b"460\n")), "packer")) == 460


@pytest.mark.parametrize("script", [PREPARE, RENEW])
async def test_the_scripts_are_plain_shell(script: str) -> None:
    await process.run(["sh", "-n"], stdin=script.encode(), timeout=20)
