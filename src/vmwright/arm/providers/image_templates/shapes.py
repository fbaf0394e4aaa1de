"""What an answer shows of a template, in each api-version (reference §4, §6.2, §23).

A template is kept as the newest api-version would show it, with all that the service fills in; an answer has
of it what its own api-version has.
"""

from __future__ import annotations

import copy
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from vmwright.arm import ids, times
from vmwright.arm.providers.image_templates.names import TEMPLATE_TYPE, shown_id
from vmwright.runs.states import RunState, RunSubState
from vmwright.template.contract import FIRST, reaches
from vmwright.template.writing import fitted, said

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vmwright.arm.providers.image_templates.states import ProvisioningState
    from vmwright.arm.store import Resource
    from vmwright.runs.newest import NewestRun
    from vmwright.template.checked import Checked

Document = dict[str, Any]
# What a deployment or a file says of itself: the resource has it from its address.
NOT_KEPT = frozenset({"type", "name", "apiVersion", "dependsOn"})
CANCEL_SINCE, VALIDATING_SINCE = "2020-02-14", "2022-02-14"
# States that came later -> what earlier api-versions have instead.
BEFORE_CANCEL: Mapping[RunState, RunState] = MappingProxyType(
    {RunState.CANCELING: RunState.RUNNING, RunState.CANCELED: RunState.FAILED}
)


def kept(template: Checked, state: ProvisioningState) -> Document:
    """Return what is kept of a template that was just sent: as it was written, and what is added to it."""
    document: Document = {name: value for name, value in said(template).items() if name not in NOT_KEPT}
    properties: Document = document["properties"]
    for around, name in ((properties, "customize"), (properties.get("validate", {}), "inVMValidations")):
        if not around.get(name, True):
            del around[name]
    _fill_source(properties["source"])
    for step in _steps(properties):
        _fill_step(step)
    for distributor in properties["distribute"]:
        _fill_distributor(distributor)
    if "vmProfile" in properties:
        _fill_vm_profile(properties["vmProfile"])
    if "errorHandling" in properties:
        cleanup = {"onCustomizerError": "cleanup", "onValidationError": "cleanup"}
        properties["errorHandling"] = cleanup | properties["errorHandling"]
    usual: Document = {
        "buildTimeoutInMinutes": 0,
        "stagingResourceGroup": "",
        "exactStagingResourceGroup": "",
    }
    document["properties"] = usual | properties | {"provisioningState": state}
    return document


def shown(resource: Resource, version: str, run: NewestRun | None) -> Document:
    """Return a template as an api-version shows it.

    :param run: its newest build, None where there is none.
    """
    body = copy.deepcopy(dict(resource.body))
    properties = body["properties"]
    for path, checksum in body.get("checksums", {}).items():
        kind, _, index = path.partition("/")
        _steps_of(kind, properties)[int(index)].setdefault("sha256Checksum", checksum)
    if run is not None:
        properties["lastRunStatus"] = last_run_status(run, version)
    document: Document = {
        "location": resource.location,
        "tags": dict(resource.tags),
        **({"identity": body["identity"]} if "identity" in body else {}),
        "properties": properties,
    }
    found = ids.parse(resource.id)
    return {
        **fitted(document, version).body,
        "id": shown_id(found),
        "name": resource.name,
        "type": TEMPLATE_TYPE,
    }


def body_of(resource: Resource) -> Document:
    """Return a template as the body of a request in the api-version that it was written in."""
    document: Document = {"location": resource.location, "tags": dict(resource.tags)}
    document |= {name: resource.body[name] for name in ("identity", "properties") if name in resource.body}
    return fitted(document, resource.api_version).body


def last_run_status(run: NewestRun, version: str) -> Document:
    """Return ``lastRunStatus``: while a build runs, its end is Go's zero time (reference §6.2)."""
    state, sub_state = run.state, run.sub_state
    if not reaches(version, CANCEL_SINCE):
        state = BEFORE_CANCEL.get(state, state)
    if sub_state is RunSubState.VALIDATING and not reaches(version, VALIDATING_SINCE):
        sub_state = RunSubState.BUILDING
    document: Document = {
        "startTime": times.short(run.started_at),
        "endTime": times.short(run.ended_at) if run.ended_at else times.NONE,
        "runState": _cased(state, version),
        "message": run.message,
    }
    return document | ({"runSubState": _cased(sub_state, version)} if sub_state else {})


def steps(properties: Mapping[str, Any]) -> Iterator[tuple[str, Document]]:
    """Give the customizers and validators with the paths by which checksums are kept."""
    for kind in ("customize", "inVMValidations"):
        for index, step in enumerate(_steps_of(kind, properties)):
            yield f"{kind}/{index}", step


def _steps(properties: Mapping[str, Any]) -> Iterator[Document]:
    return (step for _, step in steps(properties))


def _steps_of(kind: str, properties: Mapping[str, Any]) -> list[Document]:
    around = properties if kind == "customize" else properties.get("validate", {})
    found: list[Document] = around.get(kind, [])
    return found


def _cased(state: RunState | RunSubState, version: str) -> str:
    """Return a state in the casing of an api-version: the first one began them with a small letter."""
    return f"{state[:1].lower()}{state[1:]}" if version == FIRST else str(state)


def _fill_source(source: Document) -> None:
    match source["type"]:
        case "PlatformImage":
            source["exactVersion"] = source["version"]
        case "SharedImageVersion":
            source["exactVersion"] = source["imageVersionId"]


def _fill_step(step: Document) -> None:
    for name in ("sha256Checksum", "validExitCodes", "inline"):
        if not step.get(name, True):
            del step[name]
    match step["type"]:
        case "PowerShell":
            step.setdefault("runElevated", False)
            step.setdefault("runAsSystem", False)
        case "WindowsRestart":
            step.setdefault("restartCommand", "")


def _fill_distributor(distributor: Document) -> None:
    distributor.setdefault("artifactTags", {})
    if distributor["type"] == "SharedImage":
        distributor.setdefault("excludeFromLatest", False)
        distributor.setdefault("versioning", None)


def _fill_vm_profile(profile: Document) -> None:
    profile.setdefault("vmSize", "")
    profile.setdefault("osDiskSizeGB", 0)
    if "vnetConfig" in profile:
        profile["vnetConfig"].setdefault("proxyVmSize", "")
