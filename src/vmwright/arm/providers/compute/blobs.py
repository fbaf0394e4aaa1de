"""The blobs that builds made images of, as Compute names them (reference §20).

A build of the service writes a VHD into the storage account of its template, and Compute shows of the image
where that was; here, as there, nobody finds it once the build is over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vmwright.arm import ids
from vmwright.arm.identity.address import address_of
from vmwright.arm.providers.storage import accounts
from vmwright.runs.newest import templates_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from vmwright.arm.service import Service


def blobs_of(builds: Iterable[str | None], service: Service) -> Mapping[str, dict[str, Any]]:
    """Return the blob of each build whose template is there: its ``uri``, and its ``storageAccountId``.

    :param builds: ids; None and those of other builds are left out.
    """
    templates = templates_of(service.database, {build for build in builds if build})
    accounts_of = {template: _account(template, service) for template in set(templates.values())}
    url = address_of(service.settings.service).url
    return {
        build: {
            "uri": f"{accounts.address(url, account.name)}/{accounts.VHDS}/{build}.vhd",
            "storageAccountId": str(account).replace("/resourceGroups/", "/resourcegroups/", 1),
        }
        for build, template in templates.items()
        if (account := accounts_of[template]) is not None
    }


def _account(template_id: str, service: Service) -> ids.ResourceId | None:
    template = service.store.find(ids.parse(template_id))
    group = template.properties.get("exactStagingResourceGroup") if template else None
    return accounts.account_id(ids.parse(group), ids.parse(template_id)) if group else None
