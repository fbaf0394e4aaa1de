"""Disks that builds of this service have made, named by the addresses at which it shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.arm import ids
from vmwright.arm.identity.address import address_of
from vmwright.arm.providers.storage.accounts import ACCOUNT_TYPE, OF_TEMPLATE, VHDS
from vmwright.downloads.urls import parse
from vmwright.errors import SourceError
from vmwright.runs.kept_files import find_vhd

if TYPE_CHECKING:
    from pathlib import Path

    from vmwright.arm.service import Service
    from vmwright.arm.store import Resource


def maker(uri: str, service: Service) -> Resource | None:
    """Return the template whose staging group's account an address is in; None where it is none of ours."""
    where = _parts(uri, service)
    found = service.store.find_named(ACCOUNT_TYPE, where[0]) if where else None
    return service.store.find(ids.parse(found.body[OF_TEMPLATE])) if found else None


def find(uri: str, service: Service) -> Path | None:
    """Return the file of such a disk, which is only read; None where the address is none of ours.

    :raises SourceError: there is no such disk any more, or it is on another host.
    """
    template, where = maker(uri, service), _parts(uri, service)
    if template is None or where is None:
        return None
    disk = find_vhd(service.database, template.id, where[1], since=template.created_at)
    if disk is None or (disk.is_here and not disk.path.is_file()):
        raise SourceError(f"The VHD {where[1]} of the template {template.name} is gone", target=uri)
    if not disk.is_here:
        raise SourceError(
            f"The VHD {where[1]} is on the host that built it: {disk.path}",
            target=uri,
            hint="ask the service of that host, or distribute to a managed image or a gallery",
        )
    return disk.path


def _parts(uri: str, service: Service) -> tuple[str, str] | None:
    """Return the account and the name of a VHD at an address of this service."""
    url = parse(uri)
    parts = url.path.strip("/").split("/")
    is_ours = url.scheme == "https" and url.host.lower() in address_of(service.settings.service).names
    if not is_ours or len(parts) != len(("account", "container", "name")) or parts[1] != VHDS:
        return None
    return parts[0], parts[2]
