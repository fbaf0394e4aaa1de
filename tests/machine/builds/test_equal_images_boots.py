"""One template, built in every way there is: the images hold the same files."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.image_trees import differences, mounted, tree_of
from tests.vmwright_command import Vmwright, shell, write_template
from vmwright.settings import Settings
from vmwright.state.database import open_database
from vmwright.state.resources import Ledger

pytestmark = [pytest.mark.machine, pytest.mark.emulated, pytest.mark.slow, pytest.mark.timeout(1500)]

# Each way to build by its options, in the order of building; what a build says of its way is in SAID.
WAYS = {
    "container": ("--machine", "container", "--refresh", "1"),
    "container, steps from the cache": ("--machine", "container", "--refresh", "Owners"),
    "vm, booted": ("--machine", "vm", "--no-cache"),
    "vm, from a snapshot": ("--machine", "vm"),
}
SAID = {
    "container, steps from the cache": "step 2/3 Packages (Shell): from the cache",
    "vm, from a snapshot": "The machine goes on from the memory of one that booted",
}
KEEPING = {"VMWRIGHT_CACHE__MAX_SIZE_GIB": "20"}
BOOTING = {"VMWRIGHT_SNAPSHOTS__ENABLED": "false"}
PACKAGES = (
    "sudo apt-get update -q",
    "sudo DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends nginx libcap2-bin",
    "sudo install -m 0640 -g www-data /tmp/page.html /var/www/html/index.html",
    "rm /tmp/page.html",
    "sudo systemctl disable nginx",
)
OWNERS = (
    "sudo useradd --create-home --uid 1234 --groups www-data --shell /bin/bash web",
    "sudo install -d -o web -g www-data -m 2750 /srv/web",
    "sudo install -m 4755 /usr/bin/id /usr/local/bin/id-as-root",
    "sudo install -o 60000 -g 60001 -m 0755 /usr/bin/id /usr/local/bin/serve",
    "sudo setcap cap_net_bind_service=+ep /usr/local/bin/serve",
    "sudo ln -s /srv/web /srv/link",
    "sudo mkfifo /srv/pipe",
    "sudo timedatectl set-timezone Europe/Paris",
    "sudo rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb",
)
WWW_DATA = 33


@pytest.fixture
def ledger(home: Path) -> Iterator[Ledger]:
    database = open_database(Settings(home=home))
    yield Ledger(database)
    database.close()


async def test_however_an_image_is_built_it_holds_the_same_files(
    vmwright: Vmwright, tmp_path: Path, ledger: Ledger
) -> None:
    page = tmp_path / "page.html"
    page.write_text("<h1>the same</h1>\n")
    template = write_template(
        tmp_path,
        {"type": "File", "name": "Page", "sourceUri": page.as_uri(), "destination": "/tmp/page.html"},
        shell(*PACKAGES, name="Packages"),
        shell(*OWNERS, name="Owners"),
        name="equal",
    )
    trees = {}
    for number, (way, options) in enumerate(WAYS.items()):
        out = tmp_path / f"out{number}"
        environment = KEEPING | (BOOTING if way == "vm, booted" else {})
        built = Vmwright(vmwright.home, environment)("build", template, "--out", out, *options)
        assert built.code == 0, f"{way}: {built.err}"
        for known, said in SAID.items():
            assert (said in built.out) == (known == way), f"{way}:\n{built.out}"
        async with mounted(out / "equal.vhd", tmp_path / f"look{number}", ledger) as root:
            trees[way] = tree_of(root)
    first, *others = WAYS
    assert {way: differences(trees[first], trees[way]) for way in others} == {way: [] for way in others}

    tree = trees[first]
    assert "/usr/sbin/nginx" in tree
    assert tree["/srv/web"][:3] == ("drwxr-s---", 1234, WWW_DATA)
    assert tree["/var/www/html/index.html"][:3] == ("-rw-r-----", 0, WWW_DATA)
    assert tree["/usr/local/bin/id-as-root"][0] == stat.filemode(stat.S_IFREG | 0o4755)
    mode, owner, group, _, attributes = tree["/usr/local/bin/serve"]
    assert (mode, owner, group) == ("-rwxr-xr-x", 60000, 60001)
    assert [name for name, _ in attributes] == ["security.capability"]
