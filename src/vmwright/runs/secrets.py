"""What a template holds that nobody may read in a log: signatures and passwords in its addresses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from vmwright.events import REDACTED
from vmwright.secret_values import secrets_in
from vmwright.template.model import File, IsoSource, PowerShell, Shell, Vhd

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from vmwright.template.model import Template


def secrets_of(template: Template) -> tuple[str, ...]:
    """Return every secret in the addresses of a template, decoded and as it is written."""
    return tuple(dict.fromkeys(secret for uri in _uris(template) for secret in secrets_in(uri)))


def shown(template: Template, secrets: Sequence[str] = ()) -> dict[str, Any]:
    """Return a template's document as people may see it.

    :param secrets: values that are not to be seen, beside those in addresses.
    """
    hidden = sorted({*secrets_of(template), *filter(None, secrets)}, key=len, reverse=True)
    return {_hide(name, hidden): _hide_in(value, hidden) for name, value in template.document.items()}


def _hide_in(value: object, hidden: Sequence[str]) -> object:
    match value:
        case str():
            return _hide(value, hidden)
        case Mapping():
            return {_hide(name, hidden): _hide_in(below, hidden) for name, below in value.items()}
        case list() | tuple():
            return [_hide_in(below, hidden) for below in value]
    return value


def _hide(text: str, hidden: Sequence[str]) -> str:
    for secret in hidden:
        text = text.replace(secret, REDACTED)
    return text


def _uris(template: Template) -> Iterator[str]:
    if isinstance(template.source, IsoSource):
        yield template.source.source_uri
    if template.optimize and template.optimize.workload_script_uri:
        yield template.optimize.workload_script_uri
    for distributor in template.distribute:
        if isinstance(distributor, Vhd) and distributor.uri:
            yield distributor.uri
    for step in (*template.customize, *template.in_vm_validations):
        if isinstance(step, Shell | PowerShell) and step.script_uri:
            yield step.script_uri
        elif isinstance(step, File):
            yield step.source_uri
