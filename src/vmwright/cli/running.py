"""How a command runs: one event loop, Ctrl-C and SIGTERM as an orderly cancel, errors as a message."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from vmwright.cli.screen import say
from vmwright.errors import BuildCanceledError, VmwrightError
from vmwright.events import Events, as_json

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from vmwright.events import Event, Reader
    from vmwright.settings import Settings
    from vmwright.state.database import Database

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

Result = TypeVar("Result")


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a command's work to its end.

    The first Ctrl-C or SIGTERM cancels it, so that all it made is removed; further ones only say that this
    is under way. An error ends the program with its message and exit code.
    """
    try:
        return asyncio.run(_cancelled_by_signals(work))
    except asyncio.CancelledError:
        fail(BuildCanceledError("Cancelled"))
    except VmwrightError as error:
        fail(error)


async def _cancelled_by_signals(work: Coroutine[Any, Any, Result]) -> Result:
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    asked = False

    def cancel() -> None:
        nonlocal asked
        first, asked = not asked, True
        if first:
            task.cancel()
        with contextlib.suppress(OSError):  # Ctrl-C may have ended whoever reads this, too
            print("cancelling: clearing up ..." if first else "still clearing up ...", file=sys.stderr)

    for number in SIGNALS:
        loop.add_signal_handler(number, cancel)
    return await task


def fail(error: VmwrightError) -> NoReturn:
    """Print an error and end the program with its exit code."""
    print_error(error)
    sys.exit(error.exit_code)


def print_error(error: VmwrightError, *, hide: Callable[[str], str] = str) -> None:
    """Print an error as ``error:`` and ``hint:``, on standard error; ``hide`` takes secrets out of a text."""
    where = f"{error.target}: " if error.target and error.target not in error.message else ""
    say(("error: ", "bold red"), hide(f"{where}{error.message}"), err=True)
    if error.hint:
        say(("hint: ", "cyan"), hide(error.hint), err=True)


@contextlib.contextmanager
def opened(**given: Any) -> Iterator[tuple[Settings, Database]]:  # noqa: ANN401 - the fields of Settings
    """Give the configuration and the open database; an error ends the program with its message.

    :param given: keys of the configuration that the command line has.
    """
    from vmwright.settings import load
    from vmwright.state.database import open_database

    try:
        settings = load(**given)
        database = open_database(settings)
        try:
            yield settings, database
        finally:
            database.close()
    except VmwrightError as error:
        fail(error)


@contextlib.contextmanager
def shown_events(*, as_json_lines: bool) -> Iterator[Events]:
    """Return a stream of events that is shown as JSON, live on a terminal, or as plain lines elsewhere."""
    if as_json_lines:
        yield Events(WhileRead(_print_json))
    elif sys.stdout.isatty():
        from vmwright.cli.live import LiveTerminal

        with LiveTerminal() as terminal:
            yield Events(WhileRead(terminal))
    else:
        from vmwright.cli.plain import PlainLines

        yield Events(WhileRead(PlainLines()))


class WhileRead:
    """A reader that stops showing events once nobody reads its output, and then has the command cancelled."""

    def __init__(self, show: Reader) -> None:
        self._show = show
        self._gone = False

    def __call__(self, event: Event) -> None:
        """Show an event, unless the pipe or terminal is gone."""
        if self._gone:
            return
        try:
            self._show(event)
        except OSError:
            self._gone = True
            os.kill(os.getpid(), signal.SIGTERM)


def _print_json(event: Event) -> None:
    print(as_json(event), flush=True)
