"""The kinds of distributors."""

from __future__ import annotations

from vmwright.template.contract import INT32_MAX, Field, Format, Kind, Shape
from vmwright.template.shapes.fields import ARTIFACT_TAGS, FEB_2021, MAY_2019, RUN_OUTPUT, STORAGE, TYPE

DISTRIBUTORS = (
    Shape(
        name="ManagedImage",
        early_type_name="managedImage",
        about="A managed image.",
        documented=MAY_2019,
        fields=(
            TYPE,
            RUN_OUTPUT,
            Field(
                name="imageId",
                about="The id of the managed image, which is made or overwritten.",
                format=Format.IMAGE_ID,
                required=True,
                documented=MAY_2019,
            ),
            Field(
                name="location",
                about="The region of the managed image.",
                required=True,
                documented=MAY_2019,
            ),
            ARTIFACT_TAGS,
        ),
    ),
    Shape(
        name="SharedImage",
        early_type_name="sharedImage",
        about="A new version of a gallery's image definition.",
        documented=MAY_2019,
        fields=(
            TYPE,
            RUN_OUTPUT,
            Field(
                name="galleryImageId",
                about="The id of the image definition; with /versions/1.2.3 at its end also the new version.",
                format=Format.DEFINITION_ID,
                required=True,
                documented=MAY_2019,
            ),
            Field(
                name="replicationRegions",
                about="The regions that get the version; since 2022-07-01 better `targetRegions`.",
                kind=Kind.TEXTS,
                required=True,
                required_until="2022-07-01",
                documented=MAY_2019,
            ),
            Field(
                name="storageAccountType",
                about="The storage of the regions in `replicationRegions`; Standard_LRS by default.",
                allowed=STORAGE,
                since="2020-02-14",
                documented=FEB_2021,
            ),
            Field(
                name="targetRegions",
                about="The regions that get the version, each with its replicas and storage.",
                kind=Kind.OBJECTS,
                shapes=("TargetRegion",),
                since="2022-07-01",
            ),
            Field(
                name="excludeFromLatest",
                about="Whether `latest` passes over the version; false by default.",
                kind=Kind.BOOLEAN,
                since="2020-02-14",
                documented=FEB_2021,
            ),
            Field(
                name="versioning",
                about="How the version's number is found, where `galleryImageId` does not give it.",
                kind=Kind.OBJECT,
                shapes=("Versioning",),
                since="2022-07-01",
            ),
            Field(
                name="replicationMode",
                about="How Azure replicates: Full, the default, or Shallow.",
                allowed=("Full", "Shallow"),
                since="2025-10-01",
                instead="every region gets a full copy",
            ),
            ARTIFACT_TAGS,
        ),
    ),
    Shape(
        name="VHD",
        since="2019-02-01-preview",
        about="A VHD file.",
        documented=MAY_2019,
        fields=(
            TYPE,
            RUN_OUTPUT,
            Field(
                name="uri",
                about="A blob or a container of Azure Storage; the staging storage account if absent.",
                format=Format.URI,
                since="2022-07-01",
                built=False,
            ),
            ARTIFACT_TAGS,
        ),
    ),
)

TARGET_REGION = Shape(
    name="TargetRegion",
    about="One region of a gallery version.",
    since="2022-07-01",
    fields=(
        Field(name="name", about="The region, in any spelling.", required=True, since="2022-07-01"),
        Field(
            name="replicaCount",
            about="The number of copies in this region; 1 by default.",
            kind=Kind.INTEGER,
            minimum=1,
            maximum=INT32_MAX,
            since="2022-07-01",
        ),
        Field(
            name="storageAccountType",
            about="The storage of the copies; Standard_LRS by default.",
            allowed=STORAGE,
            since="2022-07-01",
        ),
    ),
)

VERSIONING = Shape(
    name="Versioning",
    about="How the number of a gallery version is found.",
    since="2022-07-01",
    fields=(
        Field(
            name="scheme",
            about="Latest: one more than the highest; Source: the number of the source's version.",
            allowed=("Latest", "Source"),
            required=True,
            since="2022-07-01",
        ),
        Field(
            name="major",
            about="With Latest: the major number to stay in; -1, the default, means the highest.",
            kind=Kind.INTEGER,
            minimum=-1,
            maximum=INT32_MAX,
            since="2022-07-01",
        ),
    ),
)
