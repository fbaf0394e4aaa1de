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
    auto_run = properties.part("autoRun")
    return model.Template(
        api_version=api_version,
        location=template.text("location"),
        source=_source(properties.part("source") or properties),
        distribute=tuple(_distributor(part) for part in properties.parts("distribute")),
        customize=tuple(_customizer(part) for part in properties.parts("customize")),
        vm_profile=_vm_profile(properties.part("vmProfile")),
        build_timeout_in_minutes=properties.number("buildTimeoutInMinutes") or 0,
        identities=identity.texts("userAssignedIdentities") if identity else (),
        validate=_validate(properties.part("validate")),
        optimize=_optimize(properties.part("optimize")),
        error_handling=_error_handling(properties.part("errorHandling")),
        staging_resource_group=_staging(properties.text("stagingResourceGroup")),
        auto_run=_enabled(auto_run),
        managed_resource_tags=properties.tags("managedResourceTags"),
        additional_data_disks=tuple(
            disk.number("sizeGB") or 0 for disk in properties.parts("additionalDataDisks")
        ),
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
    name = part.text("name") or part.kind
    match part.kind:
        case "WindowsRestart":
            return model.WindowsRestart(
                name=name,
                path=part.place.path,
                restart_command=part.text("restartCommand") or None,
                restart_check_command=part.text("restartCheckCommand") or None,
                restart_timeout=part.text("restartTimeout") or "5m",
            )
        case "WindowsUpdate":
            return model.WindowsUpdate(
                name=name,
                path=part.place.path,
                search_criteria=part.text("searchCriteria") or None,
                filters=part.texts("filters"),
                update_limit=part.number("updateLimit") or UPDATE_LIMIT,
            )
        case _:
            return _script_or_file(part)


def _script_or_file(part: Checked) -> model.Shell | model.PowerShell | model.File:
    """Return a step that is a customizer or a validator."""
    name, path = part.text("name") or part.kind, part.place.path
    match part.kind:
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
        case _:
            return model.File(
                name=name,
                path=path,
                source_uri=part.text("sourceUri"),
                destination=part.text("destination"),
                sha256_checksum=part.text("sha256Checksum") or None,
            )


def _validate(part: Checked | None) -> model.Validate | None:
    if part is None:
        return None
    return model.Validate(
        continue_distribute_on_failure=part.flag("continueDistributeOnFailure"),
        source_validation_only=part.flag("sourceValidationOnly"),
        in_vm_validations=tuple(_script_or_file(one) for one in part.parts("inVMValidations")),
    )


def _enabled(part: Checked | None) -> bool | None:
    """Return what the ``state`` of an object says, None where it says nothing."""
    state = part.text("state") if part and part.known("state") else ""
    return state == "Enabled" if state else None


def _optimize(part: Checked | None) -> model.Optimize | None:
    if part is None:
        return None
    workload = part.part("workload")
    return model.Optimize(
        vm_boot=_enabled(part.part("vmBoot")),
        workload=_enabled(workload),
        workload_script_uri=workload.text("scriptUri") or None if workload else None,
        workload_sha256_checksum=workload.text("sha256Checksum") or None if workload else None,
    )


def _error_handling(part: Checked | None) -> model.ErrorHandling | None:
    if part is None:
        return None
    return model.ErrorHandling(
        on_customizer_error=_on_error(part, "onCustomizerError"),
        on_validation_error=_on_error(part, "onValidationError"),
    )


def _on_error(part: Checked, name: str) -> model.OnError:
    return model.OnError(part.text(name)) if part.known(name) else model.OnError.CLEANUP


def _staging(text: str) -> str | None:
    """Return the id of a resource group with its first slash, which the service adds (reference §4)."""
    return f"/{text.removeprefix('/')}" if text else None


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
                versioning=_versioning(part.part("versioning")),
                replication_mode=part.text("replicationMode") or None,
                artifact_tags=tags,
            )
        case _:
            return model.Vhd(
                path=path,
                run_output_name=run_output_name,
                uri=part.text("uri") or None,
                artifact_tags=tags,
            )


def _regions(part: Checked) -> tuple[model.TargetRegion, ...]:
    """Return the regions of either field; ``storageAccountType`` is that of all ``replicationRegions``."""
    targets = tuple(
        model.TargetRegion(
            name=one.text("name"),
            replica_count=one.number("replicaCount") or 1,
            storage_account_type=one.text("storageAccountType") or None,
        )
        for one in part.parts("targetRegions")
    )
    storage = part.text("storageAccountType") or None
    return targets or tuple(
        model.TargetRegion(name=name, storage_account_type=storage)
        for name in part.texts("replicationRegions")
    )


def _versioning(part: Checked | None) -> model.Versioning | None:
    if part is None or not part.known("scheme"):
        return None
    scheme, major = model.VersioningScheme(part.text("scheme")), part.number("major")
    keeps = scheme is model.VersioningScheme.LATEST and major is not None and major >= 0
    return model.Versioning(scheme=scheme, major=major if keeps else None)


def _vm_profile(part: Checked | None) -> model.VmProfile:
    if part is None:
        return model.VmProfile()
    return model.VmProfile(
        vm_size=part.text("vmSize"),
        os_disk_size_gb=part.number("osDiskSizeGB") or 0,
        vnet_config=_vnet_config(part.part("vnetConfig")),
        user_assigned_identities=part.texts("userAssignedIdentities"),
    )


def _vnet_config(part: Checked | None) -> model.VnetConfig | None:
    """Return the network; None where nothing names one, as in ``{}`` or with empty texts only."""
    if part is None or not any(part.has(name) for name in part.values):
        return None
    return model.VnetConfig(
        subnet_id=part.text("subnetId") or None,
        name=part.text("name") or None,
        subnet_name=part.text("subnetName") or None,
        resource_group_name=part.text("resourceGroupName") or None,
        proxy_vm_size=part.text("proxyVmSize"),
        container_instance_subnet_id=part.text("containerInstanceSubnetId") or None,
    )
