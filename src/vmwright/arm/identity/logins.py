"""Logins with a secret, and how often one may be tried."""

from __future__ import annotations

import asyncio
import hmac
import secrets
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from vmwright.arm.identity.principals import Account, Principals

MOST_FAILURES = 10
WINDOW_SECONDS = 300.0
# Names that were tried: to be forgotten before its time, one has to be followed by more tries at others than
# are made in the window.
MOST_NAMES = 10_000
LONGEST_NAME = 256


class LoginError(Exception):
    """A login that is refused; ``is_locked``: whatever the secret is, it was tried too often."""

    def __init__(self, *, is_locked: bool) -> None:
        super().__init__("locked" if is_locked else "refused")
        self.is_locked = is_locked


class Attempts:
    """Who has failed, and when."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, list[float]] = OrderedDict()

    def are_over(self, who: str) -> bool:
        """Whether somebody has failed too often for now."""
        return len(self._recent(who)) >= MOST_FAILURES

    def fail(self, who: str) -> None:
        """Count a failure. None is forgotten for a success: that may be somebody else's."""
        self._failures[who] = [*self._recent(who), self._clock()]
        self._failures.move_to_end(who)
        if len(self._failures) > MOST_NAMES:
            self._failures.popitem(last=False)

    def _recent(self, who: str) -> list[float]:
        since = self._clock() - WINDOW_SECONDS
        return [at for at in self._failures.get(who, ()) if at > since]


class Logins:
    """The logins of a service. Who has logged in once does so again without the wait."""

    def __init__(self, principals: Principals, attempts: Attempts) -> None:
        self._principals = principals
        self._attempts = attempts
        # a slow try takes a processor and 16 MiB; one by one, none begins before the failures are counted
        self._alone = asyncio.Lock()
        self._key = secrets.token_bytes(32)
        self._known: dict[str, tuple[str, bytes]] = {}

    async def check(self, login: str, secret: str) -> Account:
        """Return who logs in, by client id or name.

        :raises LoginError: the secret is wrong, there is nobody of that name, or it was tried too often.
        """
        if len(login) > LONGEST_NAME:
            raise LoginError(is_locked=False)
        account = await asyncio.to_thread(self._principals.find_login, login)
        # one principal has two names; those of nobody are bounded likewise, so that nobody can tell
        who = account.id if account else login.lower()
        self._refuse_locked(who)
        if account is not None and self._knows(account, secret):
            return account
        async with self._alone:
            self._refuse_locked(who)
            is_known = account is not None and self._knows(account, secret)
            is_right = is_known or await asyncio.to_thread(self._principals.has_secret, login, secret)
            if account is None or not is_right:
                self._attempts.fail(who)
                raise LoginError(is_locked=False)
            self._known[account.id] = (account.stamp, self._digest(secret))
        return account

    def _refuse_locked(self, who: str) -> None:
        if self._attempts.are_over(who):
            raise LoginError(is_locked=True)

    def _knows(self, account: Account, secret: str) -> bool:
        """Whether a principal has logged in with this secret, and has had no other one since."""
        stamp, digest = self._known.get(account.id, ("", b""))
        return stamp == account.stamp and hmac.compare_digest(digest, self._digest(secret))

    def _digest(self, secret: str) -> bytes:
        return hmac.digest(self._key, secret.encode(), "sha256")
