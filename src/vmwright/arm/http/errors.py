"""Errors as ARM answers them (reference §5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vmwright.errors import TemplateError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from vmwright.errors import VmwrightError

# From this api-version of Microsoft.VirtualMachineImages on, its errors are in an object `error`.
ENVELOPE_SINCE = "2021-10-01"


class ArmError(Exception):
    """What a request is refused with.

    :param code: ARM's, in CamelCase; ``details`` are errors of parts of the request.
    :param is_gateways: whether ARM itself answers so, before a provider has seen the request: its errors have
        the envelope in each api-version, and a header.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        target: str | None = None,
        details: Sequence[ArmError] = (),
        headers: Mapping[str, str] | None = None,
        is_gateways: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.target = target
        self.details = tuple(details)
        self.headers = dict(headers or {})
        self.is_gateways = is_gateways

    def inner(self) -> dict[str, object]:
        """Return the error alone, without an envelope."""
        document: dict[str, object] = {"code": self.code, "message": self.message}
        if self.target:
            document["target"] = self.target
        if self.details:
            document["details"] = [detail.inner() for detail in self.details]
        return document

    def document(self, *, is_flat: bool = False) -> dict[str, object]:
        """Return the body of the answer; ``is_flat``: as the image builder's older api-versions have it."""
        return self.inner() if is_flat and not self.is_gateways else {"error": self.inner()}


def not_found(resource_type: str, name: str, group: str) -> ArmError:
    """Return the error of a resource that is not there (reference §24, 19)."""
    return ArmError(
        404,
        "ResourceNotFound",
        f"The Resource '{resource_type}/{name}' under resource group '{group}' was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix",
        is_gateways=True,
    )


def group_not_found(group: str) -> ArmError:
    """Return the error of a resource group that is not there."""
    return ArmError(
        404, "ResourceGroupNotFound", f"Resource group '{group}' could not be found.", is_gateways=True
    )


def foreseen(error: VmwrightError) -> ArmError:
    """Return the error of a room below: what was asked for cannot be, or the service is not well."""
    is_callers = isinstance(error, TemplateError | UnsupportedError)
    message = f"{error.message} ({error.hint})" if error.hint else error.message
    return ArmError(400 if is_callers else 503, error.code, message, target=error.target)
