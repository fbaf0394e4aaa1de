"""Asking what may hang: a database, a disk."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

from vmwright.errors import VmwrightError

if TYPE_CHECKING:
    from collections.abc import Callable

Told = TypeVar("Told")


class Asked(Generic[Told]):
    """A question that blocks, asked once at a time however many want to know: more would take all threads.

    :param seconds: for how long an answer is waited for.
    """

    def __init__(self, ask: Callable[[], Told], *, seconds: float) -> None:
        self._ask = ask
        self._seconds = seconds
        self._asking: asyncio.Task[Told] | None = None

    async def answer(self) -> Told:
        """Return the answer.

        :raises VmwrightError: there is none within the time; the question stays asked.
        """
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(asyncio.to_thread(self._ask))
            self._asking.add_done_callback(_seen)
        asking = self._asking
        done, _ = await asyncio.wait({asking}, timeout=self._seconds)
        if not done:
            raise VmwrightError(f"No answer within {self._seconds:g} s")
        return asking.result()


def _seen(asking: asyncio.Task[Told]) -> None:
    """Take note of an error that nobody waits for any more."""
    if not asking.cancelled():
        asking.exception()
