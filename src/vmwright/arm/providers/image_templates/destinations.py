"""Where a template's images are to go, checked before an hour is spent on making them (reference §5.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.arm.providers.image_templates.faults import OTHER, ProvisioningError
from vmwright.errors import VmwrightError
from vmwright.images import ids
from vmwright.template.model import ManagedImage, SharedImage

if TYPE_CHECKING:
    from vmwright.arm.service import Service
    from vmwright.artifacts.facts import ImageFacts
    from vmwright.template.model import Template


def check_destinations(template: Template, facts: ImageFacts | None, service: Service) -> None:
    """Check that galleries and image definitions are there, and for images like this one.

    :param facts: of the source's disk, None where it is not known yet.
    :raises ProvisioningError: one is not, a version is there already, or an image is in another region.
    """
    for distributor in template.distribute:
        try:
            match distributor:
                case ManagedImage():
                    service.images.managed.check_location(distributor.image_id, distributor.location)
                case SharedImage():
                    _check_gallery(distributor, facts, service)
        except VmwrightError as error:
            is_image = isinstance(distributor, ManagedImage)
            raise ProvisioningError.of(error, OTHER if is_image else "BadSharedImageDistribute") from error


def _check_gallery(distributor: SharedImage, facts: ImageFacts | None, service: Service) -> None:
    images, wanted = service.images, ids.parse_definition(distributor.gallery_image_id)
    images.galleries.get_definition(wanted)
    if wanted.version:
        images.versions.check_new(wanted)
    if facts is not None:
        images.galleries.check_fits(wanted, facts)
