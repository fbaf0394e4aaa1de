"""The canonical model as the body of each api-version: what is written reads as what it was."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vmwright.template import Template, model, read
from vmwright.template.contract import API_VERSIONS, NEWEST, reaches
from vmwright.template.writing import Written, write

TEMPLATES = Path(__file__).parents[4] / "shared" / "templates"
GROUP = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/rg"
COMPUTE = f"{GROUP}/providers/Microsoft.Compute"
NETWORK = f"{GROUP}/providers/Microsoft.Network/virtualNetworks/net/subnets"
IDENTITY = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/me"
DEFINITION = f"{COMPUTE}/galleries/g/images/d"

# A busy machine is no reason to fail.
unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=150)
words = st.text("abcXYZ019 äß-_./\\\"'%", min_size=1, max_size=12).filter(str.strip)
names = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
tags = st.dictionaries(words, words, max_size=2)
checksums = st.none() | st.from_regex(r"[0-9a-f]{64}", fullmatch=True)
uris = st.sampled_from(["https://example.com/a", "https://account.blob.core.windows.net/c/b.sh?x=1"])
lines = st.lists(words, min_size=1, max_size=3).map(tuple)
storages = st.sampled_from([None, "Standard_LRS", "Standard_ZRS", "Premium_LRS"])
numbers = st.integers(0, 2**31 - 1)
switches = st.none() | st.booleans()
major = st.none() | numbers

sources = st.one_of(
    st.builds(
        model.PlatformImage,
        publisher=words,
        offer=words,
        sku=words,
        version=words,
        plan=st.none() | st.builds(model.PlanInfo, plan_name=words, plan_product=words, plan_publisher=words),
    ),
    st.builds(model.ManagedImageSource, image_id=st.just(f"{COMPUTE}/images/i")),
    st.builds(
        model.SharedImageVersion,
        image_version_id=st.sampled_from([f"{DEFINITION}/versions/1.2.3", f"{DEFINITION}/versions/latest"]),
    ),
)


nowhere = st.just("")
shell_names = st.just("Shell") | words
shells = st.builds(
    model.Shell, name=shell_names, path=nowhere, script_uri=uris, sha256_checksum=checksums
) | st.builds(model.Shell, name=shell_names, path=nowhere, inline=lines)
files = st.builds(
    model.File,
    name=st.just("File") | words,
    path=nowhere,
    source_uri=uris,
    destination=st.just("/tmp/file"),
    sha256_checksum=checksums,
)
powershells = st.builds(
    lambda step, rights: dataclasses.replace(step, run_elevated=rights[0], run_as_system=rights[1]),
    st.builds(
        model.PowerShell,
        name=st.just("PowerShell") | words,
        path=nowhere,
        inline=lines,
        valid_exit_codes=st.lists(st.integers(0, 9), min_size=1, max_size=3).map(tuple),
    )
    | st.builds(model.PowerShell, name=words, path=nowhere, script_uri=uris, sha256_checksum=checksums),
    st.sampled_from([(False, False), (True, False), (True, True)]),
)
restarts = st.builds(
    model.WindowsRestart,
    name=words,
    path=nowhere,
    restart_command=st.none() | words,
    restart_check_command=st.none() | words,
    restart_timeout=st.sampled_from(["5m", "2h"]),
)
updates = st.builds(
    model.WindowsUpdate,
    name=words,
    path=nowhere,
    search_criteria=st.none() | words,
    filters=st.lists(words, max_size=2).map(tuple),
    update_limit=st.integers(1, 2000),
)
linux: st.SearchStrategy[list[model.Customizer]] = st.lists(shells | files, max_size=3)
windows: st.SearchStrategy[list[model.Customizer]]
windows = st.lists(powershells | restarts | updates, max_size=3)
regions = st.lists(
    st.builds(
        model.TargetRegion,
        name=st.sampled_from(["westus", "East US 2", "swedencentral"]),
        replica_count=st.integers(1, 3),
        storage_account_type=storages,
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda region: region.name,
).map(tuple)
versionings = st.builds(
    model.Versioning, scheme=st.just(model.VersioningScheme.LATEST), major=major
) | st.builds(model.Versioning, scheme=st.just(model.VersioningScheme.SOURCE))
distributors = st.one_of(
    st.builds(
        model.ManagedImage,
        path=nowhere,
        run_output_name=names,
        image_id=st.just(f"{COMPUTE}/images/i"),
        location=st.just("westus"),
        artifact_tags=tags,
    ),
    st.builds(
        model.SharedImage,
        path=nowhere,
        run_output_name=names,
        gallery_image_id=st.sampled_from([DEFINITION, f"{DEFINITION}/versions/1.0.0"]),
        target_regions=regions,
        exclude_from_latest=st.booleans(),
        versioning=st.none() | versionings,
        replication_mode=st.sampled_from([None, "Full", "Shallow"]),
        artifact_tags=tags,
    ),
    st.builds(model.Vhd, path=nowhere, run_output_name=names, uri=st.none() | uris, artifact_tags=tags),
)
networks = st.one_of(
    st.none(),
    st.builds(model.VnetConfig, name=words, subnet_name=words, resource_group_name=words),
    st.builds(model.VnetConfig, subnet_id=st.just(f"{NETWORK}/a"), proxy_vm_size=nowhere | words),
    st.builds(
        model.VnetConfig,
        subnet_id=st.just(f"{NETWORK}/a"),
        container_instance_subnet_id=st.just(f"{NETWORK}/b"),
    ),
)
profiles = st.builds(
    model.VmProfile,
    vm_size=nowhere | words,
    os_disk_size_gb=numbers,
    vnet_config=networks,
    user_assigned_identities=st.sampled_from([(), (IDENTITY,)]),
)
on_error = st.sampled_from(model.OnError)


@st.composite
def templates(draw: st.DrawFn) -> Template:
    is_windows = draw(st.booleans())
    steps = draw(windows if is_windows else linux)
    validators: st.SearchStrategy[model.Customizer] = powershells if is_windows else shells | files
    tests = draw(st.lists(validators, max_size=2))
    placed = [dataclasses.replace(step, path=f"properties.customize[{at}]") for at, step in enumerate(steps)]
    checks = [
        dataclasses.replace(step, path=f"properties.validate.inVMValidations[{at}]")
        for at, step in enumerate(tests)
    ]
    targets = draw(st.lists(distributors, min_size=1, max_size=3, unique_by=lambda one: one.run_output_name))
    return Template(
        api_version=NEWEST,
        name="name",
        location=draw(st.sampled_from(["westus2", "West US 2"])),
        source=draw(sources),
        distribute=tuple(
            dataclasses.replace(one, path=f"properties.distribute[{at}]") for at, one in enumerate(targets)
        ),
        customize=tuple(placed),
        vm_profile=draw(profiles),
        build_timeout_in_minutes=draw(st.just(0) | st.integers(6, 960)),
        identities=(IDENTITY,),
        validate=draw(
            st.none()
            | st.builds(
                model.Validate,
                continue_distribute_on_failure=st.booleans(),
                source_validation_only=st.booleans(),
                in_vm_validations=st.just(tuple(checks)),
            )
        ),
        optimize=draw(
            st.none()
            | st.builds(
                model.Optimize,
                vm_boot=switches,
                workload=switches,
                workload_script_uri=st.none() | uris,
                workload_sha256_checksum=checksums,
            )
        ),
        error_handling=draw(
            st.none()
            | st.builds(model.ErrorHandling, on_customizer_error=on_error, on_validation_error=on_error)
        ),
        staging_resource_group=draw(st.sampled_from([None, GROUP])),
        auto_run=draw(switches),
        managed_resource_tags=draw(tags),
        additional_data_disks=tuple(draw(st.lists(st.integers(1, 1024), max_size=2))),
        tags=draw(tags),
    )


def plain(version: str) -> Template:
    """A template that every api-version can say, but for its identity."""
    return Template(
        api_version=version,
        name="name",
        location="westus",
        source=model.PlatformImage(publisher="p", offer="o", sku="s", version="1.0.0"),
        customize=(
            model.Shell(name="Shell", path="properties.customize[0]", script_uri="https://example.com/a.sh"),
        ),
        distribute=(
            model.SharedImage(
                path="properties.distribute[0]",
                run_output_name="out",
                gallery_image_id=DEFINITION,
                target_regions=(model.TargetRegion(name="westus"), model.TargetRegion(name="East US")),
            ),
        ),
        identities=(IDENTITY,) if reaches(version, "2019-05-01-preview") else (),
    )


def reread(written: Written, version: str) -> Template | None:
    return read(json.dumps(written.body).encode(), api_version=version, name="name").template


@unhurried
@given(templates())
def test_the_newest_api_version_says_everything_but_the_three_names(template: Template) -> None:
    written = write(template, NEWEST)
    vnet_config = template.vm_profile.vnet_config
    names_dropped = vnet_config is not None and vnet_config.name is not None
    assert bool(written.dropped) == names_dropped
    if not names_dropped:
        assert reread(written, NEWEST) == template


@unhurried
@given(templates(), st.sampled_from(API_VERSIONS))
def test_what_an_api_version_can_say_reads_as_it_was(template: Template, version: str) -> None:
    written = write(template, version)
    again = reread(written, version)
    if not written.dropped:
        assert again == dataclasses.replace(template, api_version=version)
    elif again is not None:
        # What was left is of that api-version: it goes there and back without another loss.
        rewritten = write(again, version)
        assert rewritten.dropped == ()
        assert reread(rewritten, version) == again


@pytest.mark.parametrize("version", API_VERSIONS)
def test_a_plain_template_is_written_in_every_api_version(version: str) -> None:
    template = plain(version)
    written = write(template, version)
    assert written.dropped == ()
    assert reread(written, version) == template
    found = read(json.dumps(written.body).encode(), api_version=version, name="name").problems
    assert found == ()


def test_bodies_have_the_names_of_their_api_version() -> None:
    first = write(plain(API_VERSIONS[0]), API_VERSIONS[0]).body["properties"]
    assert first == {
        "source": {"type": "PlatformImage", "publisher": "p", "offer": "o", "sku": "s", "version": "1.0.0"},
        "customize": [{"type": "shell", "script": "https://example.com/a.sh"}],
        "distribute": [
            {
                "type": "sharedImage",
                "runOutputName": "out",
                "galleryImageId": DEFINITION,
                "replicationRegions": ["westus", "East US"],
                "artifactTags": {},
            }
        ],
    }
    last = write(plain(NEWEST), NEWEST).body["properties"]
    assert isinstance(last, dict)
    assert last["distribute"][0]["targetRegions"] == [{"name": "westus"}, {"name": "East US"}]


def test_what_an_api_version_cannot_say_is_named() -> None:
    template = dataclasses.replace(
        plain("2020-02-14"),
        customize=(
            model.File(name="f", path="", source_uri="https://example.com/f", destination="/tmp/f"),
            *plain(NEWEST).customize,
        ),
        distribute=(
            model.SharedImage(
                path="",
                run_output_name="out",
                gallery_image_id=DEFINITION,
                target_regions=(
                    model.TargetRegion(name="westus", replica_count=2, storage_account_type="Standard_ZRS"),
                    model.TargetRegion(name="eastus"),
                ),
            ),
        ),
        auto_run=True,
        optimize=model.Optimize(vm_boot=True, workload=True),
    )
    assert write(template, "2019-02-01-preview").dropped == (
        "identity",
        "properties.customize[0]",
        "properties.optimize",
        "properties.distribute[0].targetRegions[0].replicaCount",
        "properties.distribute[0].targetRegions[0].storageAccountType",
        "properties.autoRun",
    )
    assert write(template, "2023-07-01").dropped == ("properties.optimize.workload", "properties.autoRun")


BODIES = sorted(TEMPLATES.glob("rec_*.json"))


@pytest.mark.skipif(not BODIES, reason="the recorded bodies (../shared/templates) are missing")
@pytest.mark.parametrize("path", BODIES, ids=lambda path: path.name)
def test_a_recorded_body_is_written_as_it_reads(path: Path) -> None:
    version = next(one for one in reversed(API_VERSIONS) if f"_{one}_" in path.name)
    template = read(path.read_bytes(), api_version=version, name="name").template
    assert template is not None
    written = write(template, version)
    assert written.dropped == ()
    assert reread(written, version) == template
