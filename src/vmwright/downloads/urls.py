"""URLs: which may be fetched by whom, which mirror stands in for one, and how one is shown to people."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

import httpx2

from vmwright.errors import DownloadError

if TYPE_CHECKING:
    from collections.abc import Mapping

NETWORK_SCHEMES = ("https", "http")


class Origin(StrEnum):
    """Who asks for a URL: the owner of this account, or somebody on the network."""

    LOCAL = "local"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Location:
    """Where bytes are taken from: ``url``, or instead of it a ``file`` of this host.

    ``mirror`` is the configured prefix that led there, if one did.
    """

    url: httpx2.URL
    file: Path | None = None
    mirror: str | None = None

    @property
    def shown(self) -> str:
        """The file, or the URL as people may see it."""
        return str(self.file or shown(self.url))


def parse(url: str) -> httpx2.URL:
    """Read an absolute URL.

    :raises DownloadError: it is not one, or has a scheme that is never fetched.
    """
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL as error:
        raise DownloadError(f"Not a URL that can be fetched: {error}") from None
    if parsed.scheme in NETWORK_SCHEMES and parsed.host:
        return parsed
    if parsed.scheme == "file" and parsed.host in {"", "localhost"} and parsed.path.startswith("/"):
        return parsed
    raise DownloadError(
        f"{shown(parsed)} cannot be fetched",
        target=shown(parsed),
        hint="URLs begin with https://, http:// or (on the command line only) file:///",
    )


def locate(url: str, *, mirrors: Mapping[str, str], origin: Origin) -> Location:
    """Return where to take ``url`` from: the mirror with the longest matching prefix, or the URL itself.

    A prefix ends at a part of the path: ``https://host/a`` stands for ``/a`` and ``/a/b``, not for ``/ab``.
    What a mirror answers is not mapped again. Only configuration leads a service to files of this host.

    :raises DownloadError: the URL cannot be fetched, or this origin may not ask for it.
    """
    asked = parse(url)
    if mirrored := _mirrored(asked, mirrors):
        return mirrored
    if asked.scheme == "file" and origin is not Origin.LOCAL:
        raise DownloadError(
            f"{shown(asked)} is a file of this host, which a service does not read for its clients",
            target=shown(asked),
            hint="put it on a web server, or let the operator map a URL to it under [mirrors]",
        )
    return Location(asked, file=Path(asked.path) if asked.scheme == "file" else None)


def shown(url: httpx2.URL) -> str:
    """Return a URL without what may be secret: user, password, query (SAS) and fragment."""
    public = url.copy_with(userinfo=b"", query=None, fragment=None)
    return f"{public}?..." if url.query else str(public)


def _mirrored(asked: httpx2.URL, mirrors: Mapping[str, str]) -> Location | None:
    text = str(asked.copy_with(userinfo=b"", fragment=None, raw_path=asked.raw_path))
    normal = {str(parse(prefix)): (prefix, target) for prefix, target in mirrors.items()}
    for prefix in sorted(normal, key=len, reverse=True):
        rest = text.removeprefix(prefix)
        if rest == text or not (prefix.endswith("/") or rest[:1] in {"", "/", "?"}):
            continue
        configured, target = normal[prefix]
        if prefix.endswith("/") and not target.endswith("/") and "?" not in target:
            rest = f"/{rest}"  # else it could go on with the name of the mirror's host or folder
        mirror = parse(target)
        if mirror.scheme == "file":
            return Location(asked, file=_below(mirror, rest, asked), mirror=configured)
        return Location(parse(target + rest), mirror=configured)
    return None


def _below(folder: httpx2.URL, rest: str, asked: httpx2.URL) -> Path:
    """Return the file for ``rest``; who writes a template must not climb out of the operator's folder."""
    path = folder.path + unquote(rest.partition("?")[0])
    if ".." in Path(path).parts or "\0" in path:
        raise DownloadError(f"{shown(asked)} leads out of its mirror {folder}", target=shown(asked))
    return Path(path)
