"""The kinds of sources."""

from __future__ import annotations

from vmwright.template.contract import Field, Format, Kind, Shape
from vmwright.template.shapes.fields import FEB_2021, MAY_2019, TYPE, filled_in

PLAN_INFO = Shape(
    name="PlanInfo",
    about="The purchase plan of a marketplace image.",
    since="2020-02-14",
    fields=(
        Field(name="planName", about="The name of the plan.", required=True, documented=FEB_2021),
        Field(name="planProduct", about="The product of the plan.", required=True, documented=FEB_2021),
        Field(name="planPublisher", about="The publisher of the plan.", required=True, documented=FEB_2021),
    ),
)

SOURCES = (
    Shape(
        name="PlatformImage",
        about="An image of the Azure Marketplace, by its four names.",
        documented=MAY_2019,
        fields=(
            TYPE,
            Field(
                name="publisher",
                about="The publisher, such as Canonical.",
                required=True,
                documented=MAY_2019,
            ),
            Field(name="offer", about="The offer, such as UbuntuServer.", required=True, documented=MAY_2019),
            Field(name="sku", about="The edition, such as 18.04-LTS.", required=True, documented=MAY_2019),
            Field(
                name="version",
                about="The version's number, or latest, which is looked up at each build.",
                required=True,
                documented=MAY_2019,
            ),
            Field(
                name="planInfo",
                about="The purchase plan, where the image has one.",
                kind=Kind.OBJECT,
                shapes=("PlanInfo",),
                since="2020-02-14",
                documented=FEB_2021,
            ),
            filled_in("exactVersion", "The version that latest stands for.", "2021-10-01"),
        ),
    ),
    Shape(
        name="ManagedImageSource",
        type_name="ManagedImage",
        about="A generalized managed image.",
        since="2019-02-01-preview",
        documented=MAY_2019,
        fields=(
            TYPE,
            Field(
                name="imageId",
                about="The id of the managed image.",
                format=Format.IMAGE_ID,
                required=True,
                documented=MAY_2019,
            ),
        ),
    ),
    Shape(
        name="SharedImageVersion",
        about="A version of a gallery's image definition.",
        since="2019-05-01-preview",
        documented=MAY_2019,
        fields=(
            TYPE,
            Field(
                name="imageVersionId",
                about="The id of the version; since 2022-07-01 it may end with versions/latest.",
                format=Format.IMAGE_VERSION_ID,
                required=True,
                documented=MAY_2019,
            ),
            filled_in("exactVersion", "The id of the version that latest stands for.", "2022-07-01"),
        ),
    ),
    Shape(
        name="ISO",
        about="A binary DVD of Red Hat Enterprise Linux, which Azure took until March 2020.",
        until="2020-02-14",
        documented=MAY_2019,
        fields=(
            TYPE,
            # The May 2019 edition writes sourceURI, the model of that api-version sourceUri (reference §18).
            Field(
                name="sourceUri",
                about="The address of the DVD.",
                format=Format.URI,
                required=True,
                earlier_name="sourceURI",
                renamed_in="2019-05-01-preview",
                documented=MAY_2019,
            ),
            Field(
                name="sha256Checksum",
                about="The SHA-256 of the DVD, 64 hexadecimal digits.",
                format=Format.SHA256,
                required=True,
                documented=MAY_2019,
            ),
        ),
    ),
)
