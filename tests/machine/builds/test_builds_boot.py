"""Real builds of real templates, whose images boot with what their steps did."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT, SHARED
from tests.image_trees import mounted
from tests.vmwright_command import Vmwright, shell, write_template
from vmwright.artifacts import ArtifactStore
from vmwright.disks.vhd import verify_fixed_vhd
from vmwright.images import ImageLibrary
from vmwright.settings import Settings
from vmwright.state.database import open_database
from vmwright.state.resources import Ledger

pytestmark = pytest.mark.machine

QUICKSTARTS = SHARED / "templates"
MANAGED_IMAGE = "qs_az_0_Creating_a_Custom_Linux_Managed_Image_helloImageTemplateLinux.json"
VHD = "qs_az_4_Creating_a_Custom_Linux_Image_to_VHD_helloImageTemplateVHD.json"
MIRROR = ROOT / "tests" / "data" / "quickstarts" / "quickquickstarts"
SECOND_SCRIPT = MIRROR / "customizeScript2.sh"
PAGE = (MIRROR / "exampleArtifacts" / "buildArtifacts" / "index.html").read_text()
NEEDS_QUICKSTARTS = pytest.mark.skipif(
    not QUICKSTARTS.exists(), reason="the public quickstarts are not beside the project: ../shared/templates"
)
NGINX = (
    "sudo apt-get update -q",
    "sudo DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends nginx",
    "sudo cp /buildArtifacts/index.html /var/www/html/index.html",
    "sudo rm -rf /var/lib/apt/lists/*",
)


@pytest.fixture
def ledger(home: Path) -> Iterator[Ledger]:
    database = open_database(Settings(home=home))
    yield Ledger(database)
    database.close()


def image_of(home: Path, name: str) -> Path:
    database = open_database(Settings(home=home))
    store = ArtifactStore(home, database)
    digest = ImageLibrary(database, store).get(name).digest
    database.close()
    return store.get(digest).path


@NEEDS_QUICKSTARTS
@pytest.mark.emulated
@pytest.mark.slow
async def test_the_quickstarts_build_and_boot(vmwright: Vmwright, tmp_path: Path, ledger: Ledger) -> None:
    """The first one fails on a checksum, as it must; with that one value changed its image is built and read;
    a second template starts from that image, and what it makes boots and serves what both did."""
    refused = vmwright("build", QUICKSTARTS / MANAGED_IMAGE)
    assert refused.code == 1
    assert "Step 2 of 5 'CheckSumCompareShellScript' (Shell) failed" in refused.err
    assert "ade4c5214c3c675e92c66e2d067a870c5b81b9844b3de3cc72c49ff36425fc93" in refused.err

    document = json.loads((QUICKSTARTS / MANAGED_IMAGE).read_text())
    sum_of_second = hashlib.sha256(SECOND_SCRIPT.read_bytes()).hexdigest()
    document["properties"]["customize"][1]["sha256Checksum"] = sum_of_second
    mended = tmp_path / "quickstart.json"
    mended.write_text(json.dumps(document))
    built = vmwright("build", mended, "--set", "imageName=quickstart", "--json")
    assert built.code == 0, built.err
    assert [event["outcome"] for event in built.events("StepEnded")] == ["succeeded"] * 5
    async with mounted(image_of(vmwright.home, "quickstart"), tmp_path / "look", ledger) as root:
        assert (root / "etc/quickstart/user").read_text() == "packer\n"
        assert (root / "etc/quickstart/folder").read_text() == "/home/packer\n"
        assert (root / "etc/quickstart/builder").read_text() == "azure-arm\n"
        assert (root / "etc/quickstart/second").read_text() == "second\n"
        assert (root / "buildArtifacts/index.html").read_text() == PAGE
        assert not (root / "home/packer").exists()
        assert shutil.disk_usage(root).total > 27 << 30

    source = {"type": "ManagedImage", "imageId": vmwright.json("images")[0]["id"]}
    target = {"type": "ManagedImage", "imageId": f"{source['imageId']}2", "location": "westus2"}
    second = write_template(
        tmp_path,
        shell(*NGINX, name="Nginx"),
        source=source,
        distribute=[{**target, "runOutputName": "second"}],
    )
    built = vmwright("build", second)
    assert built.code == 0, built.err
    booted = vmwright("boot", "quickstart2", "--page", "/")
    assert booted.code == 0, booted.err
    assert booted.out.endswith(PAGE)


@NEEDS_QUICKSTARTS
async def test_the_vhd_quickstart_builds(vmwright: Vmwright, tmp_path: Path, ledger: Ledger) -> None:
    out = tmp_path / "out"
    built = vmwright("build", QUICKSTARTS / VHD, "--out", out, "--name", "hello", "--format", "raw")
    assert built.code == 0, built.err
    verify_fixed_vhd(out / "hello.vhd")
    assert sorted(path.name for path in out.iterdir()) == [
        *("SHA256SUMS", "hello.raw", "hello.raw.sums", "hello.vhd", "hello.vhd.sums")
    ]
    verified = vmwright("verify", out / "hello.vhd", out / "hello.raw")
    assert (verified.code, verified.out.count(": OK")) == (0, 2), verified.err
    for line in (out / "SHA256SUMS").read_text().splitlines():
        expected, name = line.split("  ")
        with (out / name).open("rb") as file:
            assert hashlib.file_digest(file, "sha256").hexdigest() == expected
    async with mounted(out / "hello.vhd", tmp_path / "look", ledger) as root:
        assert (root / "etc/quickstart/user").read_text() == "packer\n"


@pytest.mark.emulated
@pytest.mark.slow
async def test_boot_files_changed_in_a_container_are_finished_in_a_vm(
    vmwright: Vmwright, tmp_path: Path, ledger: Ledger
) -> None:
    setting = 'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX vmwright.seen=1"'
    change = f"echo '{setting}' | sudo tee /etc/default/grub.d/99-test.cfg"
    template = write_template(tmp_path, shell(change, name="Grub"))
    built = vmwright("build", template, "--machine", "container", "--out", tmp_path / "out")
    assert built.code == 0, built.err
    assert "the build is finished in a VM" in built.out
    async with mounted(tmp_path / "out" / "template.vhd", tmp_path / "look", ledger) as root:
        menu = (root / "boot/grub/grub.cfg").read_text()
    kernels = [line for line in menu.splitlines() if line.strip().startswith("linux")]
    assert kernels
    assert all("vmwright.seen=1" in line and "root=UUID=" in line for line in kernels)
