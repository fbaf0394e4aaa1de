"""Names of the catalogue: the built-in source, other names for one disk, what is renewed and removed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from vmwright.artifacts.facts import ImageFacts
from vmwright.errors import SourceError, UnsupportedError, VmwrightError
from vmwright.events import Notice
from vmwright.sources import builtin, platform_image
from vmwright.sources.adding import add
from vmwright.sources.resolve import resolve
from vmwright.sources.urn import parse
from vmwright.template.model import (
    Generation,
    IsoSource,
    ManagedImageSource,
    OsType,
    PlatformImage,
)

if TYPE_CHECKING:
    from vmwright.events import Event
    from vmwright.sources.context import SourceContext
    from vmwright.state.database import Database

DEBIAN = "Debian:debian-12:12"
UBUNTU = "Canonical:UbuntuServer:18.04-LTS"


def notes(said: list[Event]) -> list[str]:
    return [event.message for event in said if isinstance(event, Notice)]


def platform(urn: str) -> PlatformImage:
    publisher, offer, sku, version = urn.split(":")
    return PlatformImage(publisher=publisher, offer=offer, sku=sku, version=version)


async def test_the_built_in_source_is_made_once(
    context: SourceContext, debian: Any, said: list[Event]
) -> None:
    first = await platform_image.resolve(platform("debian:DEBIAN-12:12:Latest"), context)
    again = await platform_image.resolve(platform(f"{DEBIAN}:latest"), context)
    assert debian.made == 1
    assert first.path == again.path
    assert again.exact_version == "12.9.1"
    assert again.builder_source == "PlatformImage Debian::debian-12::12::latest (12.9.1)"
    assert again.facts.os_name == "Debian 1"
    assert again.digest in again.record
    assert (
        notes(said)[-1]
        == f"Source {DEBIAN}:12.9.1: Debian 1, 0 days old; vmwright sources pull {DEBIAN} renews it"
    )


async def test_pulling_takes_the_place_of_the_older_disk(context: SourceContext) -> None:
    older = await platform_image.resolve(platform(f"{DEBIAN}:latest"), context)
    entry = await builtin.pull(parse(DEBIAN), context)
    newer = await platform_image.resolve(platform(f"{DEBIAN}:latest"), context)
    assert newer.exact_version == entry.urn.version == "12.9.2"
    assert context.catalogue.list() == [entry]
    assert not older.path.exists()
    exact = await platform_image.resolve(platform(f"{DEBIAN}:12.9.2"), context)
    assert exact.builder_source == "PlatformImage Debian::debian-12::12::12.9.2"


async def test_another_name_follows_the_disk_it_stands_for(
    context: SourceContext, debian: Any, said: list[Event]
) -> None:
    entry = await add(UBUNTU, f"{DEBIAN}:latest", context)
    assert debian.made == 1
    await add("a:b:c:1.0", f"{UBUNTU}:latest", context)
    await builtin.pull(parse(DEBIAN), context)
    disk = await platform_image.resolve(platform(f"{UBUNTU}:latest"), context)
    assert notes(said)[-1].endswith(f"vmwright sources pull {DEBIAN} renews it")
    assert (disk.facts.os_name, disk.exact_version) == ("Debian 2", entry.urn.version)
    assert f"the same as {DEBIAN}:latest" in disk.description
    assert (await platform_image.resolve(platform("a:b:c:latest"), context)).digest == disk.digest


async def test_another_name_keeps_the_disk(context: SourceContext) -> None:
    await add(UBUNTU, DEBIAN, context)
    removed = context.catalogue.remove(parse(DEBIAN))
    assert (await platform_image.resolve(platform(f"{UBUNTU}:latest"), context)).digest == removed.digest
    path = context.artifacts.get(removed.digest).path
    context.catalogue.remove(parse(UBUNTU))
    assert not path.exists()


async def test_latest_is_the_highest_number(context: SourceContext, raw_disk: Path) -> None:
    for version in ("1.10.0", "1.9.0", "1.2"):
        await add(f"{UBUNTU}:{version}", str(raw_disk), context)
    assert (await platform_image.resolve(platform(f"{UBUNTU}:latest"), context)).exact_version == "1.10.0"
    with pytest.raises(SourceError, match="several versions") as caught:
        context.catalogue.remove(parse(UBUNTU))
    assert "1.9.0" in str(caught.value.hint)
    context.catalogue.remove(parse(f"{UBUNTU}:1.10.0"))
    assert (await platform_image.resolve(platform(f"{UBUNTU}:latest"), context)).exact_version == "1.9.0"


async def test_an_unknown_image_says_how_to_add_it(context: SourceContext, raw_disk: Path) -> None:
    await add(UBUNTU, str(raw_disk), context)
    await add("a:b:c:1.0", str(raw_disk), context)
    with pytest.raises(SourceError, match="No disk stands for") as caught:
        await platform_image.resolve(platform("Canonical:UbuntuServer:18.04-LTE:latest"), context)
    assert caught.value.target == "properties.source"
    assert f"did you mean {UBUNTU} or" in str(caught.value.hint)
    assert "vmwright sources add Canonical:UbuntuServer:18.04-LTE DISK" in str(caught.value.hint)
    with pytest.raises(SourceError) as caught:
        await platform_image.resolve(platform("Canonical:UbuntuServer:18.04-LTE:18.04.1"), context)
    assert "vmwright sources add Canonical:UbuntuServer:18.04-LTE:18.04.1 DISK" in str(caught.value.hint)
    with pytest.raises(SourceError, match=r"but not in version 7\.0"):
        await platform_image.resolve(platform("a:b:c:7.0"), context)


async def test_a_name_that_is_made_or_fetched_is_meant_even_before_it_is_here(context: SourceContext) -> None:
    with pytest.raises(SourceError) as caught:
        await platform_image.resolve(platform("Debian:debian-12:12-gen3:latest"), context)
    assert "did you mean Debian:debian-12:12-gen2 or" in str(caught.value.hint)
    assert DEBIAN in str(caught.value.hint)


async def test_an_older_built_in_version_is_not_made_up(context: SourceContext, debian: Any) -> None:
    with pytest.raises(SourceError):
        await platform_image.resolve(platform(f"{DEBIAN}:12.1.1"), context)
    assert debian.made == 0


async def test_only_built_in_sources_are_pulled(context: SourceContext) -> None:
    with pytest.raises(SourceError, match="nothing to pull"):
        await builtin.pull(parse(UBUNTU), context)


async def test_a_managed_image_is_a_source(
    context: SourceContext, database: Database, tmp_path: Path
) -> None:
    image_id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/images/web"
    (tmp_path / "disk").write_bytes(b"disk")
    artifact = await context.artifacts.adopt(tmp_path / "disk", "qcow2")
    context.images.put(
        image_id,
        location="westus",
        artifact=artifact,
        facts=ImageFacts(
            os_type=OsType.LINUX, os_name="Debian 12", generation=Generation.V2, size_bytes=1 << 30
        ),
        tags={},
        writing=database.session,
    )
    disk = await resolve(ManagedImageSource(image_id=image_id.upper()), context, location="westus")
    assert (disk.path, disk.digest, disk.facts.generation) == (artifact.path, artifact.digest, Generation.V2)
    with pytest.raises(SourceError, match="no managed image") as caught:
        await resolve(ManagedImageSource(image_id=f"{image_id}2"), context, location="westus")
    assert caught.value.hint == f"did you mean {image_id}?"
    context.images.remove("web")
    with pytest.raises(VmwrightError):
        context.artifacts.get(artifact.digest)


async def test_kinds_that_are_not_built_say_so(context: SourceContext) -> None:
    with pytest.raises(UnsupportedError):
        await resolve(IsoSource(source_uri="x", sha256_checksum="y"), context, location="westus")


@pytest.mark.parametrize("name", ["a", "a:b", "a:b:", "a:b:c:d:e", "a:b:c:v1"])
async def test_names_that_are_none(context: SourceContext, name: str) -> None:
    with pytest.raises(SourceError):
        await add(name, "/dev/null", context)
