"""Where clients find what builds leave on hosts: in its template's storage account (reference §7, §12)."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

from vmwright.arm import ids
from vmwright.arm.providers.storage import accounts

if TYPE_CHECKING:
    from vmwright.arm.store import Resource
    from vmwright.distributors.distributor import RunOutput
    from vmwright.runs.newest import NewestRun

# As builds/messages.py writes it: the path is one of the host that the build ran on.
LOG = re.compile(
    r"(?<=Image build log location: )[^\n]*/(?P<name>customization|validation)\.log"
    r"(?=\. OperationId: (?P<build>[0-9a-f-]{36})\.)"
)


def located_run(run: NewestRun | None, template: Resource, base_url: str) -> NewestRun | None:
    """Return a build whose message says where a client finds its log."""
    if run is None:
        return None
    return dataclasses.replace(run, message=located(run.message, template, base_url))


def located(message: str, template: Resource, base_url: str) -> str:
    """Return a message of a build with the address of its log in the place of the log's path on a host."""
    account = _account(template)
    if account is None:
        return message
    logs = f"{accounts.address(base_url, account)}/{accounts.LOGS}"
    return LOG.sub(lambda found: f"{logs}/{found['build']}/{found['name']}.log", message)


def artifact_uri(output: RunOutput, template: Resource, base_url: str) -> str | None:
    """Return the address of a VHD; None where a run output is none, or its account is being made anew."""
    account = _account(template)
    if account is None or output.file is None:
        return None
    return f"{accounts.address(base_url, account)}/{accounts.VHDS}/{output.file.name}"


def _account(template: Resource) -> str | None:
    exact = template.properties.get("exactStagingResourceGroup")
    return accounts.account_id(ids.parse(exact), ids.parse(template.id)).name if exact else None
