"""What can be refused before a build begins: folders, images and galleries that cannot be written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.artifacts.publish import check_writable
from vmwright.builds.hosting import choose_machine
from vmwright.builds.networks import check_network, network_for
from vmwright.errors import DistributeError, UnsupportedError, VmwrightError
from vmwright.images import GalleryLibrary, ids, numbers, open_images
from vmwright.regions import api_name
from vmwright.sources import marketplace, platform_image
from vmwright.sources.catalogue import Catalogue
from vmwright.sources.urn import Urn
from vmwright.template.model import ManagedImage, OsType, PlatformImage, SharedImage, VersioningScheme

if TYPE_CHECKING:
    from vmwright.images import Images
    from vmwright.runs.request import BuildRequest
    from vmwright.settings import Settings
    from vmwright.sources.base_disk import BaseDisk
    from vmwright.state.database import Database
    from vmwright.template.model import Source, Template


async def check_request(request: BuildRequest, settings: Settings, database: Database) -> None:
    """Check that this host has a machine for the build, and that its results can be put where they should go.

    :raises UnsupportedError: it has none, or one cannot; said before anything starts.
    """
    # this version builds Linux guests; what the source really is, is only known once it is there
    choice = await choose_machine(request.machine, OsType.LINUX, settings)
    await check_network(network_for(request.template.vm_profile.vnet_config, settings), choice.kind)
    images = open_images(settings, database)
    try:
        _check_source(request.template.source, Catalogue(database, images.artifacts), settings)
        check_writable(request.out or settings.home)
        for distributor in request.template.distribute:
            match distributor:
                case ManagedImage():
                    images.managed.check_location(distributor.image_id, distributor.location)
                case SharedImage():
                    _check_gallery(distributor, request, images)
    except VmwrightError as error:
        raise UnsupportedError(error.message, target=error.target, hint=error.hint) from None


def _check_source(source: Source, catalogue: Catalogue, settings: Settings) -> None:
    """Check that a marketplace name is known, and none of those without a free image.

    :raises VmwrightError: it is not; the hint says what may have been meant, or what to add.
    """
    if isinstance(source, PlatformImage):
        urn = Urn(source.publisher, source.offer, source.sku, source.version)
        platform_image.refuse_unknown(urn, catalogue, marketplace.load(settings.home))


def _check_gallery(distributor: SharedImage, request: BuildRequest, images: Images) -> None:
    """Check that the version is new and that the stores of its regions can be written."""
    wanted = ids.parse_definition(distributor.gallery_image_id)
    if not request.makes_galleries:
        images.galleries.get_definition(wanted)
    if wanted.version:
        images.versions.check_new(wanted)
    definition = images.galleries.find_definition(wanted)
    home = definition.location if definition else request.template.location
    for region in dict.fromkeys(map(api_name, (*(one.name for one in distributor.target_regions), home))):
        images.stores.check(region)


def check_destinations(template: Template, base: BaseDisk, database: Database) -> None:
    """Check that the image definitions are for images of the source, once that is known.

    :raises DistributeError: one is for another OS or generation, or its number cannot be had from the source.
    """
    galleries = GalleryLibrary(database)
    for distributor in template.distribute:
        if not isinstance(distributor, SharedImage):
            continue
        try:
            galleries.check_fits(ids.parse_definition(distributor.gallery_image_id), base.facts)
            if distributor.versioning and distributor.versioning.scheme is VersioningScheme.SOURCE:
                numbers.check_source(base.exact_version)
        except DistributeError as error:
            raise DistributeError(error.message, target=distributor.path, hint=error.hint) from error
