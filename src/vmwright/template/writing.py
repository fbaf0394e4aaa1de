"""Writes templates as the body of a request in an api-version: its fields, names and casing.

``write`` starts from the canonical model, ``said`` from what somebody wrote, with what is the default anyway.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmwright.template import model
from vmwright.template.checked import Checked
from vmwright.template.contract import Field, Kind, Shape, reaches
from vmwright.template.modelling import UPDATE_LIMIT
from vmwright.template.shapes import ENVELOPE, SHAPES, type_name
from vmwright.template.shapes.fields import TYPE

if TYPE_CHECKING:
    from collections.abc import Iterable

Document = dict[str, object]
TARGET_REGIONS_SINCE = "2022-07-01"
# From here on a template without an identity says so.
IDENTITY_SINCE = "2021-10-01"


@dataclass(frozen=True, slots=True)
class Written:
    """A request's body, and the paths of what its api-version cannot say, in the newest one's names."""

    body: Document
    dropped: tuple[str, ...]


def write(template: model.Template, version: str) -> Written:
    """Return a template as the body of a PUT in an api-version of API_VERSIONS.

    The template's name and api-version are not in it: a request has them in its address. Where nothing is
    dropped, ``read`` makes the same model of the body.
    """
    body: Document = {
        "location": template.location,
        "tags": dict(template.tags),
        "identity": _identity(template.identities, version),
        "properties": _given(
            source=_source(template.source),
            customize=[_step(one) for one in template.customize],
            optimize=template.optimize and _optimize(template.optimize),
            validate=template.validate and _validate(template.validate),
            distribute=[_distributor(one) for one in template.distribute],
            errorHandling=template.error_handling and _error_handling(template.error_handling),
            buildTimeoutInMinutes=template.build_timeout_in_minutes,
            vmProfile=_vm_profile(template.vm_profile),
            stagingResourceGroup=template.staging_resource_group,
            autoRun=_state(enabled=template.auto_run),
            managedResourceTags=dict(template.managed_resource_tags) or None,
            additionalDataDisks=[{"sizeGB": size} for size in template.additional_data_disks],
        ),
    }
    return fitted(_given(**body), version)


def said(part: Checked) -> Document:
    """Return what stands in a template, with the names and kinds of the newest api-version."""
    document = {
        field.name: _plain(part.values[field.name], field)
        for field in part.shape.fields
        if field.name in part.values
    }
    if part.shape.field(TYPE.name) is TYPE:
        document[TYPE.name] = part.kind
    return document


def fitted(document: Document, version: str) -> Written:
    """Return a body of the newest api-version as one of another; fields of the service are kept."""
    fitting = _Fitting(version)
    return Written(fitting.fit(document, ENVELOPE, ""), tuple(fitting.dropped))


def _plain(value: object, field: Field) -> object:
    match value:
        case tuple() if field.kind is Kind.IDENTITIES:
            return {identity: {} for identity in value}
        case tuple():
            return [_plain(item, field) for item in value]
        case Checked():
            return said(value)
        case _:
            return value


class _Fitting:
    """Fits a body of the newest api-version to another one; ``dropped`` grows as it goes."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.dropped: list[str] = []

    def fit(self, document: Document, shape: Shape, path: str) -> Document:
        if shape.name == "SharedImage" and not reaches(self.version, TARGET_REGIONS_SINCE):
            document = self._replication_regions(document, path)
        fitted: Document = {}
        for field in shape.fields:
            if field.name not in document:
                continue
            below = f"{path}.{field.name}" if path else field.name
            if field.exists_in(self.version):
                fitted[field.name_in(self.version)] = self._value(document[field.name], field, below)
            else:
                self.dropped.append(below)
        return fitted

    def _value(self, value: object, field: Field, path: str) -> object:
        match value:
            case dict() if field.kind is Kind.CHOICE:
                return next(iter(self._items([value], field, path, numbered=False)), {})
            case list() if field.kind in {Kind.CHOICES, Kind.OBJECTS}:
                return list(self._items(value, field, path, numbered=True))
            case dict() if field.kind is Kind.OBJECT:
                return self.fit(value, SHAPES[field.shapes[0]], path)
            case _:
                return value

    def _items(self, items: list[Document], field: Field, path: str, *, numbered: bool) -> Iterable[Document]:
        shapes = [SHAPES[name] for name in field.shapes]
        for index, item in enumerate(items):
            shape = next((one for one in shapes if type_name(one) == item.get("type")), shapes[0])
            below = f"{path}[{index}]" if numbered else path
            if shape.exists_in(self.version):
                fitted = self.fit(item, shape, below)
                yield fitted | {"type": type_name(shape, self.version)} if "type" in item else fitted
            else:
                self.dropped.append(below)

    def _replication_regions(self, document: Document, path: str) -> Document:
        """Return a SharedImage with the fields that were there before ``targetRegions``."""
        targets = document.get("targetRegions")
        targets = targets if isinstance(targets, list) else []
        storages = {target.get("storageAccountType") for target in targets}
        for index, target in enumerate(targets):
            lost = ["replicaCount"] + (["storageAccountType"] if len(storages) > 1 else [])
            self.dropped += [f"{path}.targetRegions[{index}].{name}" for name in lost if name in target]
        if not targets:
            self.dropped.append(f"{path}.replicationRegions")  # It must name one.
        rest = {name: value for name, value in document.items() if name != "targetRegions"}
        storage = storages.pop() if len(storages) == 1 else None
        names = [target["name"] for target in targets]
        return rest | _given(replicationRegions=names, storageAccountType=storage)


def _given(**fields: object) -> Document:
    """Return the fields that say something; objects stay, however empty."""
    return {name: value for name, value in fields.items() if value not in (None, "", [], 0, False)}


def _identity(ids: tuple[str, ...], version: str) -> Document | None:
    if ids:
        return {"type": "UserAssigned", "userAssignedIdentities": {one: {} for one in ids}}
    return {"type": "None"} if reaches(version, IDENTITY_SINCE) else None


def _source(source: model.Source) -> Document:
    match source:
        case model.PlatformImage():
            plan = source.plan
            return _given(
                type="PlatformImage",
                publisher=source.publisher,
                offer=source.offer,
                sku=source.sku,
                version=source.version,
                planInfo=plan
                and {
                    "planName": plan.plan_name,
                    "planProduct": plan.plan_product,
                    "planPublisher": plan.plan_publisher,
                },
            )
        case model.ManagedImageSource():
            return {"type": "ManagedImage", "imageId": source.image_id}
        case model.SharedImageVersion():
            return {"type": "SharedImageVersion", "imageVersionId": source.image_version_id}
        case model.IsoSource():
            return {
                "type": "ISO",
                "sourceUri": source.source_uri,
                "sha256Checksum": source.sha256_checksum,
            }


def _step(step: model.Customizer) -> Document:
    """Return a customizer or a validator."""
    named: Document = {"type": step.kind, **_given(name=step.name if step.name != step.kind else "")}
    match step:
        case model.Shell() | model.PowerShell():
            script = _given(
                scriptUri=step.script_uri, inline=list(step.inline), sha256Checksum=step.sha256_checksum
            )
            return named | script | (_powershell(step) if isinstance(step, model.PowerShell) else {})
        case model.File():
            return named | _given(
                sourceUri=step.source_uri,
                destination=step.destination,
                sha256Checksum=step.sha256_checksum,
            )
        case model.WindowsRestart():
            return named | _given(
                restartCommand=step.restart_command,
                restartCheckCommand=step.restart_check_command,
                restartTimeout=step.restart_timeout,
            )
        case model.WindowsUpdate():
            return named | _given(
                searchCriteria=step.search_criteria,
                filters=list(step.filters),
                updateLimit=step.update_limit if step.update_limit != UPDATE_LIMIT else 0,
            )


def _powershell(step: model.PowerShell) -> Document:
    codes = list(step.valid_exit_codes)
    return _given(
        runElevated=step.run_elevated,
        runAsSystem=step.run_as_system,
        validExitCodes=codes if codes != [0] else [],
    )


def _distributor(one: model.Distributor) -> Document:
    common: Document = {
        "type": one.kind,
        "runOutputName": one.run_output_name,
        "artifactTags": dict(one.artifact_tags),
    }
    match one:
        case model.ManagedImage():
            return common | {"imageId": one.image_id, "location": one.location}
        case model.SharedImage():
            return common | _given(
                galleryImageId=one.gallery_image_id,
                targetRegions=[_target_region(region) for region in one.target_regions],
                excludeFromLatest=one.exclude_from_latest,
                versioning=one.versioning and _versioning(one.versioning),
                replicationMode=one.replication_mode,
            )
        case model.Vhd():
            return common | _given(uri=one.uri)


def _target_region(region: model.TargetRegion) -> Document:
    replicas = region.replica_count if region.replica_count > 1 else None
    return _given(name=region.name, replicaCount=replicas, storageAccountType=region.storage_account_type)


def _versioning(versioning: model.Versioning) -> Document:
    major = {} if versioning.major is None else {"major": versioning.major}
    return {"scheme": versioning.scheme.value, **major}


def _state(*, enabled: bool | None) -> Document | None:
    return None if enabled is None else {"state": "Enabled" if enabled else "Disabled"}


def _optimize(optimize: model.Optimize) -> Document:
    state = _state(enabled=optimize.workload) or {}
    script = _given(scriptUri=optimize.workload_script_uri, sha256Checksum=optimize.workload_sha256_checksum)
    return _given(vmBoot=_state(enabled=optimize.vm_boot), workload=(state | script) or None)


def _validate(validate: model.Validate) -> Document:
    return _given(
        continueDistributeOnFailure=validate.continue_distribute_on_failure,
        sourceValidationOnly=validate.source_validation_only,
        inVMValidations=[_step(one) for one in validate.in_vm_validations],
    )


def _error_handling(handling: model.ErrorHandling) -> Document:
    return {
        "onCustomizerError": handling.on_customizer_error.value,
        "onValidationError": handling.on_validation_error.value,
    }


def _vm_profile(profile: model.VmProfile) -> Document | None:
    vnet = profile.vnet_config
    network = vnet and _given(
        subnetId=vnet.subnet_id,
        name=vnet.name,
        subnetName=vnet.subnet_name,
        resourceGroupName=vnet.resource_group_name,
        containerInstanceSubnetId=vnet.container_instance_subnet_id,
        proxyVmSize=vnet.proxy_vm_size,
    )
    return (
        _given(
            vmSize=profile.vm_size,
            osDiskSizeGB=profile.os_disk_size_gb,
            userAssignedIdentities=list(profile.user_assigned_identities),
            vnetConfig=network,
        )
        or None
    )
