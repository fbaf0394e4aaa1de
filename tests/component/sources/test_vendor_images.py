"""Images that vendors publish, from a server that lays out its files as they do."""

from __future__ import annotations

import asyncio
import lzma
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.vendor_sites import Sites, debian, resolve, ubuntu, warnings
from vmwright.errors import SourceError, UnsupportedError
from vmwright.events import Event
from vmwright.settings import DatabaseSettings
from vmwright.sources import platform_image
from vmwright.sources.adding import add
from vmwright.sources.context import SourceContext
from vmwright.sources.urn import parse
from vmwright.template.model import Generation

BIONIC = "Canonical:UbuntuServer:18.04-LTS"
Vendors = Callable[[str], SourceContext]


@pytest.fixture
def database_settings() -> DatabaseSettings:
    """One kind of database will do: what is tested here are the vendors' servers."""
    return DatabaseSettings()


VENDORS: list[tuple[Callable[[Sites], Any], str, str, str]] = [
    (
        lambda sites: sites.ubuntu("noble", "24.04", "20240423", "20241004.1", "20240423.2"),
        "Canonical:ubuntu-24_04-lts:server",
        "24.04.202410041",
        "24.04.202404230",
    ),
    (debian, "Debian:debian-13:13-gen2", "0.20260712.2537", "0.20260101.2345"),
    (
        lambda sites: sites.almalinux("9", "9.4-20240507", "9.10-20251120.0", "9.5-20241120"),
        "almalinux:almalinux-x86_64:9-gen2",
        "9.10.202511200",
        "9.5.202411200",
    ),
    (
        lambda sites: sites.rocky("9", "9.4-20240609.1", "9.5-20241118.0"),
        "resf:rockylinux-x86_64:9-base",
        "9.5.20241118",
        "9.4.20240609",
    ),
    (lambda sites: sites.fedora("44", "1.7"), "Fedora:Fedora-Cloud:44", "44.1.7", "44.1.7"),
    (
        lambda sites: sites.leap("15.6", "16.37", "19.146", "19.9"),
        "SUSE:opensuse-leap-15-6:gen2",
        "15.6.190146",
        "15.6.160037",
    ),
    (
        lambda sites: sites.centos7("1809", "1804", "2009", "1811"),
        "OpenLogic:CentOS:7.5",
        "7.5.201809",
        "7.5.201804",
    ),
    (
        lambda sites: sites.centos8("8.4.2105-20210603.0", "8.3.2011-20201204.2"),
        "OpenLogic:CentOS:8_4",
        "8.4.2021060300",
        "8.4.2021060300",
    ),
]
EACH = pytest.mark.parametrize(
    ("publish", "name", "newest", "older"), VENDORS, ids=[vendor[1] for vendor in VENDORS]
)


@EACH
async def test_the_newest_of_a_vendor_is_fetched_once(
    sites: Sites,
    through: Vendors,
    online: str,
    publish: Callable[[Sites], Any],
    name: str,
    newest: str,
    older: str,
) -> None:
    publish(sites)
    context = through(online)
    disk = await resolve(f"{name.upper()}:Latest", context)
    assert disk.exact_version == newest
    assert disk.builder_source == f"PlatformImage {'::'.join(name.upper().split(':'))}::Latest ({newest})"
    assert disk.facts.os_name == "Tiny Vendor 1"
    assert context.catalogue.list()[0].origin.startswith("fetched from https://")
    asked = len(sites.asked)
    assert (await resolve(f"{name}:latest", context)).path == disk.path
    assert len(sites.asked) == asked + 1, "only the index is asked for again"
    exact = await resolve(f"{name}:{newest}", context)
    assert (exact.path, len(sites.asked)) == (disk.path, asked + 1)
    assert not any((context.settings.home / "staging").iterdir())


@EACH
async def test_an_exact_version_of_a_vendor(
    sites: Sites,
    through: Vendors,
    online: str,
    publish: Callable[[Sites], Any],
    name: str,
    newest: str,
    older: str,
) -> None:
    publish(sites)
    context = through(online)
    disk = await resolve(f"{name}:{older}", context)
    assert disk.exact_version == older
    assert disk.builder_source.endswith(f"::{older}")


async def test_a_new_build_is_fetched_and_the_older_one_stays(
    sites: Sites, through: Vendors, online: str
) -> None:
    context = through(online)
    sites.ubuntu("bionic", "18.04", "20190306")
    await resolve(f"{BIONIC}:latest", context)
    sites.ubuntu("bionic", "18.04", "20190306", "20230607")
    assert (await resolve(f"{BIONIC}:latest", context)).exact_version == "18.04.202306070"
    versions = {entry.urn.version for entry in context.catalogue.list()}
    assert versions == {"18.04.201903060", "18.04.202306070"}
    context.catalogue.remove(parse(f"{BIONIC}:18.04.201903060"))
    assert len(context.catalogue.list()) == 1


async def test_two_builds_may_want_it_at_once(sites: Sites, through: Vendors, online: str) -> None:
    ubuntu(sites)
    context = through(online)
    one, other = await asyncio.gather(*(resolve(f"{BIONIC}:latest", context) for _ in range(2)))
    assert one.path == other.path
    assert len(context.catalogue.list()) == 1


async def test_a_version_that_is_not_there_tells_those_that_are(
    sites: Sites, through: Vendors, online: str
) -> None:
    ubuntu(sites)
    with pytest.raises(SourceError, match=r"has no Ubuntu 18\.04 LTS of version 18\.04\.201808140") as caught:
        await resolve(f"{BIONIC}:18.04.201808140", through(online))
    assert "18.04.201808060, 18.04.201903060, 18.04.202306071" in str(caught.value.hint)
    asked, there = f"{BIONIC}:18.04.201808140", f"{BIONIC}:18.04.202306071"
    assert f"vmwright sources add {asked} {there}" in str(caught.value.hint)
    context = through(online)
    await add(asked, there, context)
    assert (await resolve(f"{BIONIC}:18.04.201808140", context)).exact_version == "18.04.201808140"
    debian(sites)
    with pytest.raises(SourceError, match="has no Debian 13") as caught:
        await resolve("Debian:debian-13:13:0.20260101.1", through(online))
    assert "0.20250806.2196, 0.20260101.2345" in str(caught.value.hint)


async def test_a_version_that_the_vendor_would_not_write_is_refused_without_asking(
    sites: Sites, through: Vendors, online: str
) -> None:
    with pytest.raises(SourceError, match="is no version of Debian 13") as caught:
        await resolve("Debian:debian-13:13:13.1.1", through(online))
    assert "0.<date>.<build>" in str(caught.value.hint)
    assert sites.asked == []


async def test_the_generation_is_that_of_the_name(sites: Sites, through: Vendors, online: str) -> None:
    ubuntu(sites)
    context = through(online)
    assert (await resolve(f"{BIONIC}:latest", context)).facts.generation is Generation.V1
    asked = len(sites.asked)
    second = await resolve("Canonical:UbuntuServer:18_04-LTS-GEN2:latest", context)
    assert second.facts.generation is Generation.V2
    assert len(sites.asked) == asked + 1, "both names stand for one file, which is here"


async def test_a_disk_that_does_not_boot_as_its_name_says_is_refused(
    sites: Sites, through: Vendors, online: str, raw_disk: Path
) -> None:
    sites.disk = await asyncio.to_thread(raw_disk.read_bytes)
    ubuntu(sites)
    with pytest.raises(SourceError, match="generation V2, but its disk boots as V1 only"):
        await resolve("Canonical:UbuntuServer:18_04-lts-gen2:latest", through(online))


async def test_a_mirror_may_be_a_folder_of_this_host(sites: Sites, through: Vendors) -> None:
    debian(sites)
    context = through(f"file://{sites.root}")
    assert (await resolve("Debian:debian-13:13:latest", context)).exact_version == "0.20260712.2537"


async def test_the_end_of_life_is_said(
    sites: Sites, through: Vendors, online: str, said: list[Event]
) -> None:
    ubuntu(sites)
    debian(sites)
    await resolve("Debian:debian-13:13:latest", through(online))
    assert warnings(said) == []
    for version in ("latest", "18.04.202306071"):
        said.clear()
        await resolve(f"{BIONIC}:{version}", through(online))
        assert "no free security updates since 2023-05-31" in warnings(said)[0]


async def test_what_the_user_added_comes_first(
    sites: Sites, through: Vendors, online: str, raw_disk: Path
) -> None:
    ubuntu(sites)
    context = through(online)
    await resolve(f"{BIONIC}:18.04.201903060", context)
    asked = len(sites.asked)
    added = await add(BIONIC, str(raw_disk), context)
    assert (await resolve(f"{BIONIC}:latest", context)).exact_version == added.urn.version
    assert len(sites.asked) == asked


async def test_the_built_in_source_is_made_although_a_vendor_has_one(
    sites: Sites, through: Vendors, online: str
) -> None:
    sites.debian("bookworm", "12", "20240102-1614")
    context = through(online)
    exact = await resolve("Debian:debian-12:12:0.20240102.1614", context)
    assert exact.facts.os_name == "Tiny Vendor 1"
    assert (await resolve("Debian:debian-12:12:latest", context)).facts.os_name == "Debian 1"
    assert (await resolve("Debian:debian-12:12-gen2:latest", context)).facts.os_name == "Tiny Vendor 1"


async def test_pulling_fetches_what_is_newer(sites: Sites, through: Vendors, online: str) -> None:
    ubuntu(sites)
    context = through(online)
    assert (await platform_image.pull(parse(BIONIC), context)).urn.version == "18.04.202306071"
    older = await platform_image.pull(parse(f"{BIONIC}:18.04.201808060"), context)
    assert older.urn.version == "18.04.201808060"
    assert (await platform_image.pull(parse("Debian:debian-12:12"), context)).urn.version == "12.9.1"


async def test_another_name_may_stand_for_a_vendors_image(
    sites: Sites, through: Vendors, online: str
) -> None:
    debian(sites)
    context = through(online)
    entry = await add("corp:base:1", "Debian:debian-13:13:latest", context)
    assert entry.same_as == "Debian:debian-13:13:latest"
    assert (await resolve("corp:base:1:latest", context)).facts.os_name == "Tiny Vendor 1"


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("MicrosoftWindowsServer:WindowsServer:2019-Datacenter:latest", "Evaluation Center"),
        ("RedHat:rhel-byos:rhel-lvm75:latest", "access.redhat.com"),
        ("SUSE:sles-15-sp5:gen2:latest", "suse.com"),
        ("resf:rockylinux-x86_64:9-lvm:latest", "-base"),
    ],
)
async def test_a_name_without_a_free_image_says_what_to_add(through: Vendors, name: str, advice: str) -> None:
    for work in (
        resolve(name, through("http://127.0.0.1:9")),
        platform_image.pull(parse(name), through("x:")),
    ):
        with pytest.raises(UnsupportedError) as caught:
            await work
        assert advice in str(caught.value.hint)
        assert f"vmwright sources add {name.rpartition(':')[0]} DISK" in str(caught.value.hint)


OWN = """
[layout.corp]
index = "BASE/images/list.txt"
builds = '(?P<file>golden-(?P<date>\\d{8})\\.qcow2\\.xz)'
version = "${major}.0.${date}"
image = "BASE/images/${file}"
checksums = "BASE/images/${file}.sha256"

[[image]]
layout = "corp"
os = "Golden"
values = { major = "7" }
v1 = ["Canonical:UbuntuServer:18.04-LTS", "Debian:debian-12:12"]
"""


async def test_an_entry_of_the_users_wins_and_may_be_compressed(
    sites: Sites, through: Vendors, online: str
) -> None:
    packed = lzma.compress(sites.disk)
    sites.put("https://images/golden-20260101.qcow2.xz", packed)
    sites.put("https://images/list.txt", "golden-20260101.qcow2.xz\ngolden-20250101.qcow2.xz\n")
    sites.disk = packed
    sites.put("https://images/golden-20260101.qcow2.xz.sha256", sites.sha256() + "\n")
    context = through(online)
    (context.settings.home / "marketplace.toml").write_text(OWN.replace("BASE", online))
    disk = await resolve(f"{BIONIC}:latest", context)
    assert (disk.exact_version, disk.facts.os_name) == ("7.0.20260101", "Tiny Vendor 1")
    assert (await resolve("Debian:debian-12:12:latest", context)).exact_version == "7.0.20260101"
    assert (await platform_image.pull(parse("Debian:debian-12:12"), context)).urn.version == "7.0.20260101"
