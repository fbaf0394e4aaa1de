from __future__ import annotations

from dataclasses import replace

import pytest

from vmwright.artifacts.facts import ImageFacts
from vmwright.errors import TemplateError
from vmwright.sources.checking import check_against
from vmwright.sources.urn import by_number
from vmwright.template.model import (
    Customizer,
    File,
    Generation,
    OsType,
    PlatformImage,
    PowerShell,
    Shell,
    Template,
    Validate,
    VmProfile,
    WindowsRestart,
)

SIZE = (4 << 30) + 512
LINUX = ImageFacts(os_type=OsType.LINUX, os_name="Debian 12", generation=Generation.V1, size_bytes=SIZE)
WINDOWS = ImageFacts(os_type=OsType.WINDOWS, os_name="Windows", generation=Generation.V1, size_bytes=SIZE)
SHELL = Shell(name="Shell", path="properties.customize[0]", inline=("true",))
FILE = File(name="File", path="properties.customize[1]", source_uri="https://h/f", destination="/tmp/f")
POWERSHELL = PowerShell(name="PowerShell", path="properties.customize[2]", inline=("exit",))
RESTART = WindowsRestart(name="WindowsRestart", path="properties.customize[3]")


def template(*customizers: Customizer, size: int = 0) -> Template:
    return Template(
        api_version="2022-07-01",
        location="westus",
        source=PlatformImage(publisher="a", offer="b", sku="c", version="latest"),
        distribute=(),
        customize=customizers,
        vm_profile=VmProfile(os_disk_size_gb=size),
    )


@pytest.mark.parametrize("size", [0, 5, 30])
def test_what_fits(size: int) -> None:
    check_against(template(SHELL, FILE, size=size), LINUX)
    check_against(template(POWERSHELL, FILE, RESTART, size=size), WINDOWS)


def test_a_disk_only_grows() -> None:
    with pytest.raises(TemplateError, match="use 5 or more") as caught:
        check_against(template(size=4), LINUX)
    assert caught.value.target == "properties.vmProfile.osDiskSizeGB"


def test_every_misfit_is_told_at_once() -> None:
    with pytest.raises(TemplateError) as caught:
        check_against(template(SHELL, POWERSHELL, RESTART, size=1), LINUX)
    assert [line.partition(":")[0] for line in caught.value.message.splitlines()] == [
        "properties.vmProfile.osDiskSizeGB",
        POWERSHELL.path,
        RESTART.path,
    ]
    with pytest.raises(TemplateError, match=r"customize\[0\]: UnsupportedCustomizerType: Shell"):
        check_against(template(SHELL), WINDOWS)


def test_a_validation_has_to_run_on_the_source_too() -> None:
    check = replace(SHELL, path="properties.validate.inVMValidations[0]")
    with_check = replace(template(POWERSHELL), validate=Validate(in_vm_validations=(check, FILE)))
    with pytest.raises(TemplateError) as caught:
        check_against(with_check, WINDOWS)
    assert (
        caught.value.message
        == f"{check.path}: UnsupportedValidatorType: Shell does not run on a Windows source"
    )


def test_versions_are_ordered_by_number() -> None:
    assert sorted(["1.10.0", "1.9.0", "18.04.202401161", "2"], key=by_number) == [
        "1.9.0",
        "1.10.0",
        "2",
        "18.04.202401161",
    ]
