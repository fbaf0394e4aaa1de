from __future__ import annotations

import pytest

from vmwright.errors import VmwrightError
from vmwright.images import ids

GALLERY = "/subscriptions/S-1/resourceGroups/rg(1)/providers/Microsoft.Compute/galleries/Gal.1"
VERSION = f"{GALLERY}/images/web/versions/1.0.0"


@pytest.mark.parametrize(
    "text", [GALLERY, f"{GALLERY}/images/web", VERSION, f"{GALLERY}/images/web/versions/latest"]
)
def test_ids_round_trip(text: str) -> None:
    assert str(ids.parse(text)) == text
    assert ids.parse(text.upper()).key == ids.parse(f"{text.lower()}/").key


def test_the_parts_of_an_id() -> None:
    version = ids.parse(VERSION)
    assert (str(version.of_gallery), str(version.of_definition)) == (GALLERY, f"{GALLERY}/images/web")
    assert version.short == "Gal.1/web/1.0.0"
    assert str(version.relative_path) == "s-1/rg(1)/gal.1/web/1.0.0"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "web",
        GALLERY.replace("galleries", "images"),
        f"{GALLERY}/images",
        f"{VERSION}/more",
        VERSION.replace("/web/", "/../"),
        VERSION.replace("S-1", ".."),
        VERSION.replace("1.0.0", "."),
        VERSION.replace("web", "we b"),
        VERSION.replace("web", "w" * 91),
        VERSION.replace("web", "w\0b"),
    ],
)
def test_what_is_no_id_or_leads_elsewhere_is_refused(text: str) -> None:
    with pytest.raises(VmwrightError):
        ids.parse(text)


def test_a_gallery_is_no_definition() -> None:
    with pytest.raises(VmwrightError, match="not of an image definition"):
        ids.parse_definition(GALLERY)
