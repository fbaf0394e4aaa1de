"""Who calls."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Whoever a token is for.

    :param id: the object id, by which roles are assigned.
    :param app_id: the client id, of service principals and managed identities.
    :param roles: names of built-in roles that its token gives it everywhere (a real issuer's claims).
    """

    id: str
    name: str
    app_id: str = ""
    roles: tuple[str, ...] = ()


ANYBODY = Principal(id="", name="anybody")
