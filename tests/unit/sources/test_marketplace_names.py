"""marketplace.toml: every name that templates and documents use is known; the user's own file is checked."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, SHARED
from vmwright.errors import TemplateError, UnsupportedError
from vmwright.sources import builtin, marketplace
from vmwright.sources.patterns import fill, form_of
from vmwright.sources.urn import Urn, parse
from vmwright.template.model import Generation

NOWHERE = Path("/nowhere")
SEED = re.compile(
    r'"publisher":\s*"(?P<publisher>[^"]+)",\s*"offer":\s*"(?P<offer>[^"]+)",\s*"sku":\s*"(?P<sku>[^"]+)",'
    r'\s*"version":\s*"(?P<version>[^"]+)"'
)


def of_template(value: Any) -> set[Urn]:
    """Return the platform images within a JSON document."""
    if isinstance(value, list):
        return set().union(*map(of_template, value))
    if not isinstance(value, dict):
        return set()
    found = set().union(*map(of_template, value.values()))
    if {"publisher", "offer", "sku", "version"} <= value.keys():
        found.add(Urn(value["publisher"], value["offer"], value["sku"], value["version"]))
    return found


def used_names() -> set[Urn]:
    if not SHARED.exists():
        return set()
    found = set()
    for file in (SHARED / "templates").glob("*.json"):
        found |= of_template(json.loads(file.read_text()))
    for file in (SHARED / "seeds").glob("*.md"):
        found |= {Urn(**image.groupdict()) for image in SEED.finditer(file.read_text())}
    return found


@pytest.mark.skipif(not SHARED.exists(), reason="the templates in ../shared are not here")
def test_every_name_that_templates_and_documents_use_is_known() -> None:
    names = used_names()
    assert {name.publisher for name in names} >= {"Canonical", "RedHat", "MicrosoftWindowsServer"}
    known = marketplace.load(NOWHERE)
    for name in sorted(names, key=str):
        if image := known.find(name):
            assert name.is_latest or form_of(image.version).fullmatch(name.version), name
        else:
            with pytest.raises(UnsupportedError) as caught:
                known.refuse_missing(name)
            assert f"vmwright sources add {name.to_add} DISK" in str(caught.value.hint)


@pytest.mark.parametrize(
    "name",
    [
        # the systems that the editions of the template reference list as supported
        "Canonical:UbuntuServer:16.04-LTS",
        "OpenLogic:CentOS:7.6",
        # and the aliases of az vm image list
        "OpenLogic:CentOS:8_4",
        "Debian:debian-11:11-backports-gen2",
        "Debian:debian-12:12-gen2",
        "SUSE:openSUSE-leap-15-4:gen2",
        "Canonical:0001-com-ubuntu-server-jammy:22_04-lts-gen2",
        "Canonical:ubuntu-24_04-lts:server",
    ],
)
def test_what_azures_documents_list_is_fetched(name: str) -> None:
    assert marketplace.load(NOWHERE).find(parse(name))


def test_every_address_is_a_vendors_over_https() -> None:
    for image in marketplace.load(NOWHERE).images:
        for address in (image.index, image.image, image.checksums, image.older or image.index):
            assert re.match(r"https://[a-z.-]+\.(org|com)/", address), address
        assert image.index.count("${") == 0


def test_names_are_compared_without_case_and_have_a_generation() -> None:
    known = marketplace.load(NOWHERE)
    second = known.find(parse("canonical:UBUNTUSERVER:18_04-LTS-GEN2:latest"))
    assert second
    assert second.generation is Generation.V2
    assert "release-${serial}" in second.image
    families = [image.name.family.lower() for image in known.images]
    assert len(families) == len(set(families))
    assert all(known.find(name) for name in builtin.SOURCES)


def test_a_name_that_nobody_knows_is_not_refused_as_known() -> None:
    marketplace.load(NOWHERE).refuse_missing(parse("corp:images:web"))
    marketplace.load(NOWHERE).refuse_missing(parse("SUSE:opensuse-leap-15-6:gen1"))


GOOD = """
[layout.corp]
index = "https://corp.example/${kind}/list.txt"
builds = 'web-(?P<n>\\d+)\\.qcow2'
version = "1.0.${n}"
image = "https://corp.example/${kind}/web-${n}.qcow2"
checksums = "https://corp.example/${kind}/SHA256SUMS"

[[image]]
layout = "corp"
os = "Web"
values = { kind = "golden" }
v2 = ["corp:images:web"]

[[missing]]
names = ["Corp:*:*"]
what = "it is secret"
get = "ask"
"""


def load_own(folder: Path, text: str) -> marketplace.Marketplace:
    (folder / marketplace.FILE_NAME).write_text(text)
    return marketplace.load(folder)


def test_the_users_file_wins(tmp_path: Path) -> None:
    own = load_own(
        tmp_path,
        GOOD
        + GOOD[GOOD.index("[[image]]") : GOOD.index("[[missing]]")].replace(
            "corp:images:web", "Debian:debian-12:12"
        ),
    )
    image = own.find(parse("CORP:images:web"))
    assert image
    assert (image.index, image.is_own) == ("https://corp.example/golden/list.txt", True)
    debian = own.find(parse("debian:debian-12:12"))
    assert debian
    assert debian.os == "Web"
    with pytest.raises(UnsupportedError, match="it is secret"):
        own.refuse_missing(parse("corp:other:image"))


def test_the_users_file_may_use_our_layouts(tmp_path: Path) -> None:
    text = '[[image]]\nlayout = "debian"\nos = "Debian 14"\nv1 = ["Debian:debian-14:14"]\n'
    own = load_own(tmp_path, text + 'values = { release = "14", codename = "forky" }\n')
    image = own.find(parse("Debian:debian-14:14"))
    assert image
    assert image.index.endswith("/forky/latest/debian-14-generic-amd64.json")


def test_the_examples_of_the_documentation_can_be_used(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "sources.md").read_text()
    examples = re.findall(r"^```toml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    own = load_own(tmp_path, "\n".join(examples))
    for name in ("Debian:debian-14:14-gen2", "Canonical:0001-com-ubuntu-server-jammy:22_04-lts-gen2"):
        image = own.find(parse(name))
        assert image
        assert image.is_own
        assert image.builds.pattern.count("(?P<date>") == 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('os = "Web"', 'os = "Web"\nsize = 3', "image[0].size: Extra inputs"),
        (
            'layout = "corp"',
            'layout = "debain"',
            "image[0].layout: there is no layout 'debain', but almalinux",
        ),
        ("(?P<n>", "(?P<n", "layout.corp.builds is not a regular expression"),
        ('kind = "golden"', 'sort = "golden"', "layout.corp.index wants ${kind}, which image[0].values does"),
        ('"1.0.${n}"', '"1.0.${m}"', "layout.corp.version wants ${m}"),
        ('kind = "golden"', 'kind = "golden", n = "3"', "image[0].values.n is also a group"),
        ('"corp:images:web"', '"corp:web"', "image[0].v2: Value error, 'corp:web' does not name an image"),
        ('"corp:images:web"', '"corp:images:web:1.0"', "has a version"),
        ('v2 = ["corp:images:web"]', "", "v1 or v2 must name it"),
        ('get = "ask"', "", "missing[0].get: Field required"),
        ("[layout.corp]", "[layout.corp", "it is not TOML"),
    ],
)
def test_a_mistake_in_the_users_file_names_its_key(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in GOOD
    with pytest.raises(TemplateError) as caught:
        load_own(tmp_path, GOOD.replace(old, new))
    assert said in caught.value.message
    assert str(tmp_path / marketplace.FILE_NAME) in caught.value.message


def test_values_are_put_in_their_places() -> None:
    assert fill("${a}-${b:4}-${c}", {"a": "x", "b": "7"}) == "x-0007-${c}"
    assert fill("${b:2}", {"b": "123"}) == "123"
    assert form_of("18.04.${date}${respin}").fullmatch("18.04.202306070")
    assert not form_of("0.${date}.${build}").fullmatch("12.1.1")
