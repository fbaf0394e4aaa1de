"""Holds texts against their format: names, addresses, checksums, durations, resource ids."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from vmwright.template import formats
from vmwright.template.catalogue import Rule
from vmwright.template.contract import Field, Format, reaches
from vmwright.template.wording import azure_bad_value

if TYPE_CHECKING:
    from vmwright.template.problems import Place, Problem

DOTS_SINCE = "2019-05-01-preview"
GITHUB_PAGE = re.compile(r"https?://github\.com/[^/]+/[^/]+/blob/", re.IGNORECASE)


class TextReader:
    """Checks texts; what it finds goes to ``problems``."""

    def __init__(self, problems: list[Problem], version: str) -> None:
        self._problems = problems
        self._version = version

    def allowed(self, value: str, place: Place, field: Field) -> str | None:
        """Return one of the field's allowed values, in its spelling, or None after a problem."""
        if not value or value in field.allowed:
            return value
        right = next((one for one in field.allowed if one.casefold() == value.casefold()), None)
        if right:
            message = f"`{value}` is spelled `{right}`."
            self._problems.append(Rule.VALUE_CASING.at(place, message, hint=f'write "{right}"'))
            return right
        message = f"`{field.name}` is `{value}`."
        hint = f"one of {', '.join(field.allowed)}"
        self._problems.append(Rule.VALUE_CHOICE.at(place, message, hint=hint))
        return None

    def formatted(self, value: str, place: Place, field: Field) -> str:
        """Return a text in its format; what is wrong with it goes to the problems."""
        match field.format:
            case Format.NAME if not formats.is_name(value):
                message = f"`{value}` cannot be a name: 1 to 64 letters, digits, `-`, `_` or `.`."
                self._problems.append(Rule.NAME_PATTERN.at(place, message))
            case Format.NAME if "." in value and not reaches(self._version, DOTS_SINCE):
                message = f"`{value}` has a dot, which names have since {DOTS_SINCE} only."
                self._problems.append(Rule.NAME_DOT.at(place, message, hint="write `-` or `_`"))
            case Format.URI:
                self._uri(value, place)
            case Format.SHA256:
                return self._checksum(value, place)
            case Format.DURATION if not formats.is_duration(value):
                message = f"`{field.name}` is `{value}`, which is no number with a unit."
                self._problems.append(Rule.RESTART_TIMEOUT.at(place, message, hint='such as "5m" or "2h"'))
            case Format.IMAGE_VERSION_ID if formats.is_direct_shared(value):
                pass
            case kind if kind in formats.IDS:
                self._id(value, place, field)
        return value

    def _id(self, value: str, place: Place, field: Field) -> None:
        types, names = formats.IDS[field.format]
        # The service takes the id of a resource group without its first slash too (reference §4).
        id_ = f"/{value.removeprefix('/')}" if field.format is Format.RESOURCE_GROUP_ID else value
        fault = formats.id_fault(id_, types, version_allowed=field.format is Format.DEFINITION_ID)
        version = value.rsplit("/", 1)[-1]
        if not fault and field.format is Format.IMAGE_VERSION_ID and version.casefold() != "latest":
            fault = "" if formats.is_version(version) else "its version is not Major.Minor.Patch or `latest`"
        if fault:
            self.bad_id(value, place, field.name, fault, f"the id of {names}: {formats.id_pattern(types)}")

    def bad_id(self, value: str, place: Place, name: str, fault: str, hint: str) -> None:
        """Say what is wrong with a resource id."""
        message = f"`{name}` is not a resource id that fits: {fault}."
        azure = azure_bad_value(place.path, value)
        self._problems.append(Rule.ID_MALFORMED.at(place, message, hint=hint, azure_message=azure))

    def _uri(self, value: str, place: Place) -> None:
        if fault := formats.uri_fault(value):
            self._problems.append(Rule.URI_MALFORMED.at(place, f"This is not a URI: {fault}."))
            return
        scheme = value.split(":", 1)[0].casefold()
        if scheme == "http":
            message = "The address is plain http: anybody on the way can change what comes."
            self._problems.append(Rule.URI_HTTP.at(place, message, hint="https, or a sha256Checksum"))
        elif scheme == "file":
            message = "A file of this machine: the command line reads it, Azure does not."
            self._problems.append(Rule.URI_FILE.at(place, message))
        elif scheme != "https":
            message = f"`{scheme}:` is not fetched."
            self._problems.append(Rule.URI_SCHEME.at(place, message, hint="an https:// address"))
        if GITHUB_PAGE.match(value):
            message = "This is GitHub's page about the file, not the file."
            hint = "https://raw.githubusercontent.com/<owner>/<repository>/<branch>/<path>"
            self._problems.append(Rule.URI_WEB_PAGE.at(place, message, hint=hint))

    def _checksum(self, value: str, place: Place) -> str:
        if not formats.is_sha256(value):
            message = f"The checksum has {len(value)} characters and is not 64 hexadecimal digits."
            self._problems.append(Rule.CHECKSUM_MALFORMED.at(place, message, hint="sha256sum FILE prints it"))
        elif value != value.lower():
            message = "The checksum is in upper case; it is read as lower case."
            self._problems.append(Rule.CHECKSUM_UPPER.at(place, message, hint=f'write "{value.lower()}"'))
        return value.lower()
