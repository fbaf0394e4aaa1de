"""Resource ids."""

from __future__ import annotations

import pytest

from vmwright.arm.http.errors import ArmError
from vmwright.arm.ids import ResourceId, parse

GALLERY = "/subscriptions/S/resourceGroups/Web/providers/Microsoft.Compute/galleries/Gal"
VERSION = f"{GALLERY}/images/Nginx/versions/1.0.0"


@pytest.mark.parametrize(
    ("text", "kind", "name", "parent"),
    [
        (VERSION, "Microsoft.Compute/galleries/images/versions", "1.0.0", VERSION.rpartition("/versions")[0]),
        ("/subscriptions/S/resourceGroups/Web", "", "Web", "/subscriptions/S"),
        ("/subscriptions/S/providers/A.B/kind/x", "A.B/kind", "x", "/subscriptions/S"),
        ("/subscriptions/S", "", "S", "/subscriptions/S"),
    ],
)
def test_an_id_is_taken_apart_and_written_as_it_was(text: str, kind: str, name: str, parent: str) -> None:
    found = parse(f"{text}/")
    assert (str(found), found.type, found.name, str(found.parent)) == (text, kind, name, parent)
    assert parse(text.upper()).key == found.key == text.lower()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "Web",
        "subscriptions/S",
        "/subscriptions//resourceGroups/Web",
        "/subscriptions/S/resourceGroups",
        f"{VERSION}/more",
        "/subscriptions/S/resourceGroups/Web/providers/Microsoft.Compute",
        "/subscriptions/S/resourceGroups/Web/providers/Microsoft.Compute/galleries",
        "https://host/subscriptions/S",
    ],
)
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(ArmError) as caught:
        parse(text)
    assert (caught.value.status, caught.value.code) == (400, "LinkedInvalidPropertyId")


def test_a_child_has_its_parent() -> None:
    template = ResourceId("S", "Web", "A.B", ("kind",), ("x",))
    assert template.below("part", "y").parent == template
