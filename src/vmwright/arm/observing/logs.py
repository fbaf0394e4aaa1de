"""The service's own log: a line for each event on standard error, ``key=value`` or JSON.

Everything goes through the logging of the standard library, so that uvicorn's lines are in it, too. Other
libraries may only warn: what they say of requests has addresses with secrets in it.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import TYPE_CHECKING, TextIO

import structlog

from vmwright.arm.observing.requests import FIELDS
from vmwright.events import Level, Notice
from vmwright.settings import LogFormat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from structlog.typing import EventDict, Processor, WrappedLogger

    from vmwright.events import Event

OWN = ("vmwright", "uvicorn")
FIRST = ("timestamp", "level", "logger", "event")
notices = logging.getLogger("vmwright.service")


def log_notice(event: Event) -> None:
    """Log what concerns no single request: a reader of the stream of events."""
    if isinstance(event, Notice):
        notices.log(logging.WARNING if event.level is Level.WARNING else logging.INFO, "%s", event.message)


@contextlib.contextmanager
def written(log_format: LogFormat, out: TextIO | None = None) -> Iterator[None]:
    """Have the log written while the block runs.

    :param out: default: standard error.
    """
    handler = logging.StreamHandler(out or sys.stderr)
    handler.setFormatter(_formatter(log_format))
    handler.addFilter(
        lambda record: record.name.partition(".")[0] in OWN or record.levelno >= logging.WARNING
    )
    root = logging.getLogger()
    loggers = {logging.getLogger(name): logging.INFO for name in OWN}
    before = {logger: logger.level for logger in loggers}
    root.addHandler(handler)
    for logger, level in loggers.items():
        logger.setLevel(level)
    try:
        yield
    finally:
        for logger, level in before.items():
            logger.setLevel(level)
        root.removeHandler(handler)


def _formatter(log_format: LogFormat) -> logging.Formatter:
    is_json = log_format is LogFormat.JSON
    renderer: Processor = (
        structlog.processors.JSONRenderer()
        if is_json
        else structlog.processors.LogfmtRenderer(key_order=FIRST, bool_as_flag=False)
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(FIELDS),
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            *([] if is_json else [_escaped]),
            renderer,
        ],
    )


def _escaped(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
    """Take from texts what a terminal obeys: clients and guests have a part in them."""
    return {
        key: "".join(char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in value)
        if isinstance(value, str)
        else value
        for key, value in event.items()
    }
