from __future__ import annotations

import asyncio
import hashlib
import re
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from vmwright.disks.conversion import convert
from vmwright.disks.qemu_img import DiskFormat, compare, info
from vmwright.errors import DownloadError, SourceError
from vmwright.process import run
from vmwright.sources.adding import add
from vmwright.sources.urn import Urn, parse
from vmwright.state.resources import abandoned
from vmwright.state.tables import ResourceRow
from vmwright.template.model import Generation, OsType

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vmwright.events import Event
    from vmwright.sources.context import SourceContext
    from vmwright.state.database import Database

NAME = "Canonical:UbuntuServer:18.04-LTS"


def nothing_left(context: SourceContext) -> bool:
    staging = context.settings.home / "staging"
    return context.catalogue.list() == [] and not (staging.exists() and any(staging.iterdir()))


@pytest.mark.parametrize("kind", list(DiskFormat))
async def test_a_disk_of_any_format_becomes_one_whole_qcow2(
    context: SourceContext, raw_disk: Path, tmp_path: Path, kind: DiskFormat
) -> None:
    await convert(raw_disk, tmp_path / "given", to=kind)
    entry = await add(f"{NAME}:18.4.1", str(tmp_path / "given"), context)
    assert entry.urn == Urn("Canonical", "UbuntuServer", "18.04-LTS", "18.4.1")
    assert (entry.facts.os_type, entry.facts.os_name) == (OsType.LINUX, "Tiny 1")
    assert (entry.facts.generation, entry.facts.size_bytes) == (Generation.V1, 8 << 20)
    kept = context.artifacts.get(entry.digest)
    found = await info(kept.path)
    assert (found.format, found.backing) == (DiskFormat.QCOW2, None)
    assert await compare(kept.path, raw_disk)
    assert (tmp_path / "given").exists()
    assert entry.origin == str(tmp_path / "given")
    assert not any((context.settings.home / "staging").iterdir())


async def test_a_version_is_given_where_none_is(context: SourceContext, raw_disk: Path) -> None:
    first = await add(NAME, str(raw_disk), context)
    second = await add(NAME.lower(), str(raw_disk), context)
    assert re.fullmatch(r"1\.20\d{6}\.0", first.urn.version)
    assert second.urn.version == first.urn.version.removesuffix("0") + "1"
    assert context.catalogue.get(parse(NAME.upper())) == second


async def test_a_name_is_taken_once(context: SourceContext, raw_disk: Path) -> None:
    await add(f"{NAME}:1.0", str(raw_disk), context)
    with pytest.raises(SourceError, match="in the catalogue already") as caught:
        await add(f"{NAME.upper()}:1.0", str(raw_disk), context)
    assert "sources rm" in str(caught.value.hint)


async def test_a_disk_over_another_file_is_refused(
    context: SourceContext, raw_disk: Path, tmp_path: Path
) -> None:
    over = tmp_path / "over.qcow2"
    await run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", raw_disk, over], timeout=30)
    with pytest.raises(SourceError, match="refers to a backing file"):
        await add(NAME, str(over), context)
    assert nothing_left(context)


@pytest.mark.parametrize("body", [b"", b"no disk at all" * 1000, b"QFI\xfb" + b"\0" * 5000, b"KDMV" * 1000])
async def test_what_is_no_disk_does_not_get_in(context: SourceContext, tmp_path: Path, body: bytes) -> None:
    (tmp_path / "given").write_bytes(body)
    with pytest.raises(SourceError):
        await add(NAME, str(tmp_path / "given"), context)
    assert nothing_left(context)


async def test_a_file_that_is_not_there(context: SourceContext) -> None:
    with pytest.raises(SourceError, match="is not there"):
        await add(NAME, "/no/such/disk.vhd", context)


async def test_a_url_needs_a_checksum(
    context: SourceContext, web: Callable[[str], str], raw_disk: Path
) -> None:
    with pytest.raises(SourceError, match="needs a checksum") as caught:
        await add(NAME, web("disk.raw?sig=secret"), context)
    assert "secret" not in f"{caught.value.message}{caught.value.hint}{caught.value.target}"
    digest = hashlib.sha256(await asyncio.to_thread(raw_disk.read_bytes)).hexdigest()
    with pytest.raises(DownloadError, match=digest):
        await add(NAME, web("disk.raw"), context, sha256="0" * 64)
    assert nothing_left(context)
    entry = await add(NAME, web("disk.raw?sig=secret"), context, sha256=digest)
    assert entry.origin == web("disk.raw?...")


async def test_a_file_is_compared_with_a_checksum(context: SourceContext, raw_disk: Path) -> None:
    with pytest.raises(SourceError, match="has the SHA-256"):
        await add(NAME, str(raw_disk), context, sha256="0" * 64)
    assert nothing_left(context)


async def test_cancelling_leaves_nothing(context: SourceContext, raw_disk: Path) -> None:
    task = asyncio.create_task(add(NAME, str(raw_disk), context))

    def cancel(_event: Event) -> None:
        task.cancel()

    context.events.subscribe(cancel)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert nothing_left(context)


async def test_the_ledger_is_clear_afterwards(
    context: SourceContext, raw_disk: Path, database: Database
) -> None:
    await add(NAME, str(raw_disk), context)
    with database.session() as session:
        assert session.scalars(select(ResourceRow)).all() == []
    assert abandoned(database) == []
