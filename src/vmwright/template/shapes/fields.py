"""Fields that several objects share, and the editions of Azure's template reference that show them."""

from __future__ import annotations

from vmwright.template.contract import FIRST, Field, Format, Kind

MAY_2019, JUNE_2020, FEB_2021 = "2019-05", "2020-06", "2021-02"
STATES = ("Enabled", "Disabled")
STORAGE = ("Standard_LRS", "Standard_ZRS", "Premium_LRS")

TYPE = Field(name="type", about="The kind of this object.", required=True, documented=MAY_2019)
NAME = Field(
    name="name", about="What the step is called in logs; the kind if it has none.", documented=MAY_2019
)
CHECKSUM = Field(
    name="sha256Checksum",
    about="The SHA-256 of what is downloaded, 64 hexadecimal digits; not checked if absent.",
    format=Format.SHA256,
    since="2019-05-01-preview",
    documented=JUNE_2020,
)
SCRIPT_URI = Field(
    name="scriptUri",
    about="The address of the script; either this or `inline`.",
    format=Format.URI,
    earlier_name="script",
    renamed_in="2019-05-01-preview",
    documented=MAY_2019,
)
INLINE = Field(
    name="inline",
    about="The lines of the script, which become one file; either this or `scriptUri`.",
    kind=Kind.TEXTS,
    since="2019-02-01-preview",
    documented=MAY_2019,
)
RUN_OUTPUT = Field(
    name="runOutputName",
    about="The name of what comes out, of its own in the template: 1 to 64 letters, digits, `-`, `_`, `.`.",
    format=Format.NAME,
    required=True,
    documented=MAY_2019,
)
ARTIFACT_TAGS = Field(
    name="artifactTags",
    about="Tags that the image gets.",
    kind=Kind.TAGS,
    spellings=("tags",),
    documented=MAY_2019,
)


def filled_in(name: str, about: str, since: str = FIRST) -> Field:
    """Return a field that only the service writes."""
    return Field(name=name, about=about, kind=Kind.OPAQUE, read_only=True, since=since)
