"""passt started for real, without a guest behind it."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest

from vmwright.errors import MachineError
from vmwright.machines.passt import Forward, free_port, start_passt

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.machine
async def test_it_listens_on_loopback_and_ends_with_its_guest(tmp_path: Path) -> None:
    ours, guests = socket.socketpair()
    with ours:
        wanted = free_port()
        running, forwards = await start_passt(
            ours, [Forward(0, 22), Forward(wanted, 80)], log=tmp_path / "log", token="test"
        )
        assert forwards[0].host_port not in {0, wanted}
        assert forwards[1] == Forward(wanted, 80)
        for forward in forwards:
            _, writer = await asyncio.open_connection("127.0.0.1", forward.host_port)
            writer.close()
    guests.close()
    async with asyncio.timeout(30):
        assert await running.wait() == 0


@pytest.mark.machine
async def test_a_port_in_use_is_said(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ours, guests = socket.socketpair()
        with ours, guests, pytest.raises(MachineError, match=rf"{port}"):
            await start_passt(ours, [Forward(0, 22), Forward(port, 80)], log=tmp_path / "log", token="test")
