"""The end of life of a gallery version: until then, one can be kept from being deleted."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from vmwright.arm.http.errors import ArmError
from vmwright.arm.providers.compute.names import invalid
from vmwright.arm.providers.compute.regions import PROFILE

if TYPE_CHECKING:
    from vmwright.arm.providers.compute.collection import Thing

UNTIL, BLOCKS = "endOfLifeDate", "blockDeletionBeforeEndOfLife"


def check_over(there: Thing) -> None:
    """Check that a version may go as far as its end of life is concerned.

    :raises ArmError: it is to stay until then.
    """
    until = there.properties["publishingProfile"].get(UNTIL)
    if there.properties.get("safetyProfile", {}).get(BLOCKS) is not True or not until:
        return
    if read(until) > datetime.now(UTC):
        raise ArmError(
            409,
            "OperationNotAllowed",
            f"The image version '{there.id}' cannot be deleted before its end of life, {until}: "
            f"safetyProfile.{BLOCKS} says so.",
            target=str(there.id),
        )


def read(text: object) -> datetime:
    """Read a point in time, of UTC where it does not say.

    :raises ArmError: it is none.
    """
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        raise invalid(f"{PROFILE}.{UNTIL}", f"'{text}' is not a date.") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
