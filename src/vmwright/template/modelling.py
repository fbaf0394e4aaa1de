"""Turns a template that was read without errors into the canonical model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.template import model

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from vmwright.template.checked import Checked

UPDATE_LIMIT = 1000


def model_of(
    template: Checked, *, api_version: str, name: str, document: Mapping[str, Any]
) -> model.Template:
    """Return the model; ``template`` has no errors, so that every required field is there."""
    properties = template.part("properties") or template
    identity = template.part("identity")
    return model.Template(
        api_version=api_version,
        location=template.text("location"),
        source=_source(properties.part("source") or properties),
        distribute=tuple(_distributor(part) for part in properties.parts("distribute")),
        customize=tuple(_customizer(part) for part in properties.parts("customize")),
        vm_profile=_vm_profile(properties.part("vmProfile")),
        build_timeout_in_minutes=properties.number("buildTimeoutInMinutes") or 0,
        identities=identity.texts("userAssignedIdentities") if identity else (),
        tags=template.tags("tags"),
        name=template.text("name") or name,
        document=document,
    )


def _source(part: Checked) -> model.Source:
    match part.shape.name:
        case "PlatformImage":
            return model.PlatformImage(
                publisher=part.text("publisher"),
                offer=part.text("offer"),
                sku=part.text("sku"),
                version=part.text("version"),
                plan=_plan(part.part("planInfo")),
            )
        case "ManagedImageSource":
            return model.ManagedImageSource(image_id=part.text("imageId"))
        case "SharedImageVersion":
            return model.SharedImageVersion(image_version_id=part.text("imageVersionId"))
        case _:
            return model.IsoSource(
                source_uri=part.text("sourceUri"), sha256_checksum=part.text("sha256Checksum")
            )


def _plan(part: Checked | None) -> model.PlanInfo | None:
    if part is None:
        return None
    return model.PlanInfo(
        plan_name=part.text("planName"),
        plan_product=part.text("planProduct"),
        plan_publisher=part.text("planPublisher"),
    )


def _customizer(part: Checked) -> model.Customizer:
    kind, path = part.shape.name, part.place.path
    name = part.text("name") or kind
    match kind:
        case "Shell":
            return model.Shell(
                name=name,
                path=path,
                script_uri=part.text("scriptUri") or None,
                inline=part.texts("inline"),
                sha256_checksum=part.text("sha256Checksum") or None,
            )
        case "PowerShell":
            return model.PowerShell(
                name=name,
                path=path,
                script_uri=part.text("scriptUri") or None,
                inline=part.texts("inline"),
                sha256_checksum=part.text("sha256Checksum") or None,
                run_elevated=part.flag("runElevated"),
                run_as_system=part.flag("runAsSystem"),
                valid_exit_codes=part.numbers("validExitCodes") or (0,),
            )
        case "File":
            return model.File(
                name=name,
                path=path,
                source_uri=part.text("sourceUri"),
                destination=part.text("destination"),
                sha256_checksum=part.text("sha256Checksum") or None,
            )
        case "WindowsRestart":
            return model.WindowsRestart(
                name=name,
                path=path,
                restart_command=part.text("restartCommand") or None,
                restart_check_command=part.text("restartCheckCommand") or None,
                restart_timeout=part.text("restartTimeout") or "5m",
            )
        case _:
            return model.WindowsUpdate(
                name=name,
                path=path,
                search_criteria=part.text("searchCriteria") or None,
                filters=part.texts("filters"),
                update_limit=part.number("updateLimit") or UPDATE_LIMIT,
            )


def _distributor(part: Checked) -> model.Distributor:
    path, run_output_name = part.place.path, part.text("runOutputName")
    tags = part.tags("artifactTags")
    match part.shape.name:
        case "ManagedImage":
            return model.ManagedImage(
                path=path,
                run_output_name=run_output_name,
                image_id=part.text("imageId"),
                location=part.text("location"),
                artifact_tags=tags,
            )
        case "SharedImage":
            return model.SharedImage(
                path=path,
                run_output_name=run_output_name,
                gallery_image_id=part.text("galleryImageId"),
                target_regions=_regions(part),
                exclude_from_latest=part.flag("excludeFromLatest"),
                artifact_tags=tags,
            )
        case _:
            return model.Vhd(path=path, run_output_name=run_output_name, artifact_tags=tags)


def _regions(part: Checked) -> tuple[model.TargetRegion, ...]:
    storage = part.text("storageAccountType") or None
    return tuple(
        model.TargetRegion(name=name, storage_account_type=storage)
        for name in part.texts("replicationRegions")
    )


def _vm_profile(part: Checked | None) -> model.VmProfile:
    if part is None:
        return model.VmProfile()
    vnet = part.part("vnetConfig")
    return model.VmProfile(
        vm_size=part.text("vmSize"),
        os_disk_size_gb=part.number("osDiskSizeGB") or 0,
        vnet_config=model.VnetConfig(subnet_id=vnet.text("subnetId") or None) if vnet else None,
    )
