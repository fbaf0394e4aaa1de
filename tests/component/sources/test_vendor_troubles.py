"""Images that vendors publish, when something is wrong: changed, gone, out of reach, cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from tests.vendor_sites import Sites, debian, resolve, ubuntu, warnings
from vmwright.errors import DownloadError, SourceError
from vmwright.events import Event
from vmwright.settings import DatabaseSettings
from vmwright.sources.context import SourceContext
from vmwright.state.database import Database
from vmwright.state.tables import ResourceRow

BIONIC = "Canonical:UbuntuServer:18.04-LTS"
Vendors = Callable[[str], SourceContext]


@pytest.fixture
def database_settings() -> DatabaseSettings:
    """One kind of database will do: what is tested here are the vendors' servers."""
    return DatabaseSettings()


@pytest.mark.parametrize(
    ("publish", "name", "said_of_it"),
    [(ubuntu, BIONIC, "SHA-256"), (debian, "Debian:debian-13:13", "SHA-512")],
)
async def test_a_disk_that_is_not_what_its_checksum_says_does_not_get_in(
    sites: Sites,
    through: Vendors,
    online: str,
    publish: Callable[[Sites], Any],
    name: str,
    said_of_it: str,
) -> None:
    """It changed between the list and the download, or on the way."""
    publish(sites)
    for image in [*sites.root.rglob("*.img"), *sites.root.rglob("*.qcow2")]:
        image.write_bytes(image.read_bytes() + b"more")
    context = through(online)
    with pytest.raises(DownloadError, match=f"has the {said_of_it}"):
        await resolve(f"{name}:latest", context)
    assert context.catalogue.list() == []
    assert not any((context.settings.home / "staging").iterdir())


async def test_a_disk_that_is_gone(sites: Sites, through: Vendors, online: str) -> None:
    ubuntu(sites)
    for image in sites.root.rglob("*.img"):
        image.unlink()
    with pytest.raises(DownloadError, match="404"):
        await resolve(f"{BIONIC}:latest", through(online))


async def test_a_checksum_file_without_the_disk(sites: Sites, through: Vendors, online: str) -> None:
    ubuntu(sites)
    for sums in sites.root.rglob("SHA256SUMS"):
        sums.write_text(
            f"{sites.sha256()} *another.img\n{'0' * 32} *ubuntu-18.04-server-cloudimg-amd64.img\n"
        )
    with pytest.raises(SourceError, match=r"has no SHA-256 or SHA-512 of ubuntu-18\.04"):
        await resolve(f"{BIONIC}:latest", through(online))


async def test_an_index_that_names_nothing_known(sites: Sites, through: Vendors, online: str) -> None:
    ubuntu(sites)
    with pytest.raises(SourceError, match=r"names no build of Ubuntu 22\.04") as caught:
        await resolve("Canonical:0001-com-ubuntu-server-jammy:22_04-lts:latest", through(online))
    assert "marketplace.toml" in str(caught.value.hint)


async def test_an_endless_version_is_refused_at_once(through: Vendors) -> None:
    endless = f"18.04.{'1' * 100_000}"
    with pytest.raises(SourceError, match="is no version of Ubuntu"):
        await resolve(f"{BIONIC}:{endless}", through("http://127.0.0.1:9"))


async def test_an_index_with_an_endless_number(sites: Sites, through: Vendors, online: str) -> None:
    ubuntu(sites)
    index = next(sites.root.rglob("*released:download.json"))
    endless = f"release-20990101.{'9' * 5000}/ubuntu-18.04-server-cloudimg-amd64.img"
    index.write_text(f'{index.read_text()}"/bionic/{endless}"')
    with pytest.raises(DownloadError):  # there is no such disk
        await resolve(f"{BIONIC}:latest", through(online))


async def test_without_the_vendor_the_newest_that_is_here_is_used(
    sites: Sites, through: Vendors, online: str, said: list[Event]
) -> None:
    ubuntu(sites)
    here = await resolve(f"{BIONIC}:latest", through(online))
    said.clear()
    offline = await resolve(f"{BIONIC}:latest", through("http://127.0.0.1:9"))
    assert offline.path == here.path
    assert any("cannot be asked for newer images" in warning for warning in warnings(said))
    assert any(f"{BIONIC}:18.04.202306071 is used" in warning for warning in warnings(said))


async def test_without_the_vendor_and_without_a_disk(through: Vendors) -> None:
    with pytest.raises(SourceError, match="its vendor cannot be asked") as caught:
        await resolve(f"{BIONIC}:latest", through("http://127.0.0.1:9"))
    assert f"vmwright sources add {BIONIC} DISK" in str(caught.value.hint)
    exact = f"{BIONIC}:18.04.202306070"
    with pytest.raises(SourceError, match="its vendor cannot be asked") as caught:
        await resolve(exact, through("http://127.0.0.1:9"))
    assert f"vmwright sources add {exact} DISK" in str(caught.value.hint)


async def test_cancelling_a_fetch_leaves_nothing(
    sites: Sites, through: Vendors, online: str, database: Database
) -> None:
    ubuntu(sites)
    context = through(online)
    task = asyncio.create_task(resolve(f"{BIONIC}:latest", context))

    def cancel(event: Event) -> None:
        if "converting" in str(event):
            task.cancel()

    context.events.subscribe(cancel)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert context.catalogue.list() == []
    assert not any((context.settings.home / "staging").iterdir())
    with database.session() as session:
        assert session.scalars(select(ResourceRow)).all() == []
