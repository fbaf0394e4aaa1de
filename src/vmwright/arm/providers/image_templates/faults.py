"""Why a template could not be provisioned (reference §5.1, 3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from vmwright.arm.http.errors import ArmError

if TYPE_CHECKING:
    from vmwright.errors import VmwrightError

OTHER = "Other"


class ProvisioningError(Exception):
    """What ``provisioningError`` says.

    :param provisioning_code: of the service's ``provisioningErrorCode``; ``code`` is that of the operation's
        error, which has the same message.
    """

    def __init__(self, provisioning_code: str, message: str, *, code: str = "") -> None:
        super().__init__(message)
        self.provisioning_code = provisioning_code
        self.code = code or provisioning_code
        self.message = message

    @classmethod
    def of(cls, error: VmwrightError, provisioning_code: str = OTHER) -> Self:
        """Return the fault that an error is."""
        hint = f" Hint: {error.hint}." if error.hint else ""
        return cls(provisioning_code, f"{error.message}.{hint}", code=error.code)

    def as_property(self) -> dict[str, str]:
        """Return what the template shows."""
        return {"provisioningErrorCode": self.provisioning_code, "message": self.message}

    def as_error(self) -> ArmError:
        """Return what the operation shows."""
        return ArmError(400, self.code, self.message)
