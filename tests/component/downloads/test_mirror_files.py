from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from vmwright.downloads import Downloader, Origin
from vmwright.errors import DownloadError
from vmwright.events import Event, Events, Notice
from vmwright.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


async def fetch(
    mirrors: dict[str, str], url: str, folder: Path, said: list[Event], origin: Origin = Origin.SERVICE
) -> bytes:
    settings = Settings(home=folder / "home", mirrors=mirrors)
    got = await Downloader(settings, Events(said.append)).fetch(
        url, folder / "got", sha256=None, what="the script", origin=origin
    )
    return got.path.read_bytes()


async def test_a_mirror_of_files_serves_without_a_network(tmp_path: Path, said: list[Event]) -> None:
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror" / "in stall.sh").write_bytes(b"echo hi")
    mirrors = {"https://example.invalid/": f"file://{tmp_path}/mirror/"}
    assert (
        await fetch(mirrors, "https://example.invalid/in%20stall.sh?sig=a-signature", tmp_path, said)
        == b"echo hi"
    )
    told = [event.message for event in said if isinstance(event, Notice)]
    assert told == [
        f"the script is taken from {tmp_path}/mirror/in stall.sh: the mirror of https://example.invalid/"
    ]


@pytest.mark.parametrize("climb", ["%2e%2e/secret", "a/%2e%2e%2f%2e%2e%2fsecret", "..%2fsecret"])
async def test_a_mirror_of_files_is_not_left(tmp_path: Path, said: list[Event], climb: str) -> None:
    (tmp_path / "mirror").mkdir()
    (tmp_path / "secret").write_bytes(b"secret")
    mirrors = {"https://example.invalid/": f"file:{tmp_path}/mirror/"}
    with pytest.raises(DownloadError):
        await fetch(mirrors, f"https://example.invalid/{climb}", tmp_path, said)


async def test_what_a_mirror_lacks_is_said_once(tmp_path: Path, said: list[Event]) -> None:
    mirrors = {"https://example.invalid/": f"file:{tmp_path}/mirror/"}
    with pytest.raises(DownloadError, match=r"mirror/x cannot be read: No such file") as caught:
        await fetch(mirrors, "https://example.invalid/x", tmp_path, said)
    assert caught.value.hint


async def test_a_mirror_is_not_mapped_again(tmp_path: Path, said: list[Event], server: Any) -> None:
    server.answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"]
    mirrors = {"https://example.invalid/": server.url("/m/"), server.url("/"): "http://wrong.invalid/"}
    assert await fetch(mirrors, "https://example.invalid/a?b=c", tmp_path, said) == b"ok"
    assert server.asked[0].path == "/m/a?b=c"


async def test_only_the_command_line_reads_files(tmp_path: Path, said: list[Event]) -> None:
    (tmp_path / "here").write_bytes(b"here")
    assert await fetch({}, f"file://{tmp_path}/here", tmp_path, said, Origin.LOCAL) == b"here"
    with pytest.raises(DownloadError, match="a service does not read"):
        await fetch({}, f"file://{tmp_path}/here", tmp_path, said, Origin.SERVICE)
    with pytest.raises(DownloadError, match="is not a file"):
        await fetch({}, "file:///dev/zero", tmp_path, said, Origin.LOCAL)
