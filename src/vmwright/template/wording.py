"""What the service itself says of a template, verbatim, so that people find it again (reference §5.2)."""

from __future__ import annotations

REVIEW = "Please review http://aka.ms/azvmimagebuildertmplref for details on fields required"
TEMPLATE = "in the Image Builder Template."


def azure_missing(path: str, name: str) -> str:
    """Return what the service says of a missing field (reference §5.2)."""
    return f"Validation failed: '{_azure_path(path)}': Missing field '{name}'. {REVIEW} {TEMPLATE}"


def azure_bad_value(path: str, value: str) -> str:
    """Return what the service says of a bad value; the two blanks around the address are its own."""
    above, _, name = path.rpartition(".")
    # The service names the list's item with the field: 'ImageTemplate.properties', 'distribute[0].type'.
    if above.endswith("]"):
        above, _, item = above.rpartition(".")
        name = f"{item}.{name}"
    return (
        f"Validation failed: '{_azure_path(above)}': Field '{name}' has a bad value: '{value}'. "
        "Please review  http://aka.ms/azvmimagebuildertmplref  for details on fields requirements "
        f"{TEMPLATE}"
    )


def _azure_path(path: str) -> str:
    return f"ImageTemplate.{path}" if path else "ImageTemplate"
