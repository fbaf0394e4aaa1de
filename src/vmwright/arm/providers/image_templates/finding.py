"""What a template's source is at submission, without fetching its disk: that is a build's to do."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vmwright.arm.providers.image_templates.faults import ProvisioningError
from vmwright.errors import UnsupportedError, VmwrightError
from vmwright.images import ids
from vmwright.regions import api_name
from vmwright.sources import builtin, marketplace, platform_image, vendor_builds
from vmwright.sources.catalogue import Kind
from vmwright.sources.context import SourceContext
from vmwright.sources.urn import Urn
from vmwright.state.resources import Ledger
from vmwright.template.model import IsoSource, ManagedImageSource, PlatformImage, SharedImageVersion

if TYPE_CHECKING:
    from vmwright.arm.service import Service
    from vmwright.artifacts.facts import ImageFacts
    from vmwright.sources.catalogue import CatalogueEntry
    from vmwright.sources.marketplace import VendorImage
    from vmwright.template.model import Template


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a source is: its ``exactVersion`` ("" where its kind has none), its disk where that is known."""

    exact_version: str = ""
    facts: ImageFacts | None = None


async def find_source(template: Template, service: Service) -> Found:
    """Return what a template's source is now.

    Of what this version does not build from, nothing is known: that is said when a build is asked for.

    :raises ProvisioningError: there is no such source.
    """
    match template.source:
        case PlatformImage() as source:
            try:
                return await _platform_image(source, service)
            except UnsupportedError:
                return Found(exact_version=source.version)
            except VmwrightError as error:
                raise ProvisioningError.of(error, "BadPIRSource") from error
        case ManagedImageSource() as source:
            return await asyncio.to_thread(_managed_image, source, template.location, service)
        case SharedImageVersion() as source:
            return await asyncio.to_thread(_version, source, template.location, service)
        case IsoSource():
            return Found()


async def _platform_image(source: PlatformImage, service: Service) -> Found:
    asked = Urn(source.publisher, source.offer, source.sku, source.version)
    context = SourceContext.of(
        service.settings,
        service.database,
        service.images,
        events=service.events,
        ledger=Ledger(service.database),
    )
    entry, image = await asyncio.to_thread(_known, asked, context)
    if image is not None:
        return Found(exact_version=(await vendor_builds.newest(image, context)).version)
    if entry is None:
        return Found(exact_version=source.version)
    return Found(exact_version=entry.urn.version, facts=entry.facts)


def _known(asked: Urn, context: SourceContext) -> tuple[CatalogueEntry | None, VendorImage | None]:
    """Return what is here of a marketplace image, or of which vendor a build would ask for the newest.

    :raises VmwrightError: nobody is known to have it.
    """
    known = marketplace.load(context.settings.home)
    platform_image.refuse_unknown(asked, context.catalogue, known)
    entry, image = context.catalogue.find(asked), known.find(asked)
    is_made_here = builtin.is_built_in(asked) and not (image and image.is_own)
    is_added = entry is not None and entry.kind is Kind.ADDED
    return entry, None if is_made_here or is_added or not asked.is_latest else image


def _managed_image(source: ManagedImageSource, location: str, service: Service) -> Found:
    image = service.images.managed.find(source.image_id)
    if image is None:
        raise ProvisioningError(
            "BadManagedImageSource",
            f"Build (Managed Image) step failed: Error getting Managed Image '{source.image_id}': "
            "there is no managed image of that id",
        )
    if api_name(image.location) != api_name(location):
        raise ProvisioningError(
            "BadManagedImageSource",
            f"The managed image {image.resource_id} is in {image.location}, the template in {location}",
        )
    return Found(facts=image.facts)


def _version(source: SharedImageVersion, location: str, service: Service) -> Found:
    code = "BadSharedImageVersionSource"
    wanted = source.image_version_id
    try:
        version = service.images.versions.get(wanted)
    except VmwrightError as error:
        if not ids.PATTERN.fullmatch(wanted):  # a gallery that is shared directly: not built from yet
            return Found(exact_version=wanted)
        raise ProvisioningError(
            code,
            f"Build (Shared Image Version) step failed for Image Version '{wanted}': Error getting Image "
            f"Version '{wanted}': {error.message}",
        ) from error
    if version.replica_in(api_name(location)) is None:
        raise ProvisioningError(
            code,
            f"The image version {version.id} is not replicated to {location}, the template's location; it is "
            f"in {', '.join(version.regions)}",
        )
    return Found(exact_version=str(version.id), facts=version.facts)
