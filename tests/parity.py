"""Which test shows which operation, in which api-version, with which client: the page docs/parity.md.

The ring of clients sees what Azure's own tools ask: the service's log has a line for each request. Each test
hands over what was asked during it; the run that had all of them writes the page.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import pytest

PROPERTY = "asked"
REQUEST = "request"
FAILED = 500
# What a client calls itself, and what the page calls it; the first that fits counts.
CLIENTS = (
    (re.compile(r"AZURECLI/([\d.]+)"), "az"),
    (re.compile(r"azsdk-python-(?:azure-)?(?:mgmt-)?imagebuilder/(1[\d.]+)"), "Python SDK 1"),
    (re.compile(r"azsdk-python-(?:azure-)?(?:mgmt-)?(?:imagebuilder|compute)/([\d.]+)"), "Python SDK 2"),
    (re.compile(r"azsdk-js-[\w-]+/([\d.]+)"), "npm"),
    (re.compile(r"azsdk-python-|msal|python-requests"), "az"),
    (re.compile(r""), "at the wire"),
)
# Not a client: what clients of another day have asked the real service, and been answered the same here.
RECORDED = "recorded"
COLUMNS = (*dict.fromkeys(name for _, name in CLIENTS), RECORDED)
HEAD = """# Which test shows what

Written by `make test` from what Azure's own tools, unmodified, asked of a served vmwright: for each operation
and api-version, a test that showed it with this client. A cell names the test and its file below
`tests/clients/`; where there are more, their number is behind it. Those of `azure_builds` have real builds
behind them. In the last column is what the real service was recorded to answer, and this one answers the
same (`tests/component/arm/replay`).

"""


@dataclass(frozen=True, slots=True, order=True)
class Asked:
    """What a client has asked, and a test that saw the answer."""

    operation: str
    api_version: str
    client: str
    test: str


class Witness:
    """Reads a service's log: what was asked since it last looked."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._at = log.stat().st_size

    def asked(self, test: str) -> list[dict[str, str]]:
        """Return what was answered since then, as plain data."""
        with self._log.open("rb") as file:
            file.seek(self._at)
            lines = file.read().splitlines()
        return [asdict(one) for one in dict.fromkeys(_of_lines(lines, test))]


class Parity:
    """Gathers what the tests of a run have seen asked, also those of other processes, and writes the page."""

    def __init__(self, page: Path) -> None:
        self._page = page
        self._asked: set[Asked] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "teardown":
            for name, value in report.user_properties:
                if name == PROPERTY and isinstance(value, list):
                    self._asked.update(Asked(**one) for one in value)

    def pytest_sessionfinish(self) -> None:
        if self._asked:
            self._page.write_text(page(self._asked))


def page(asked: Iterable[Asked]) -> str:
    """Return the page, the same for the same set."""
    cells: dict[tuple[str, str], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for one in asked:
        cells[one.operation, one.api_version][one.client].add(one.test)
    lines = [
        f"| operation | api-version | {' | '.join(COLUMNS)} |",
        f"|---|---|{'---|' * len(COLUMNS)}",
    ]
    for (operation, version), by_client in sorted(cells.items(), key=_by_path):
        row = " | ".join(_cell(by_client[name]) if name in by_client else "" for name in COLUMNS)
        lines.append(f"| {operation} | {version} | {row} |")
    return HEAD + "\n".join(lines) + "\n"


def _by_path(cell: tuple[tuple[str, str], object]) -> tuple[str, str, str]:
    (operation, version), _ = cell
    method, _, path = operation.partition(" ")
    return path.lower(), version, method


def _cell(tests: set[str]) -> str:
    first, *more = sorted(tests)
    return f"`{first}`" + (f" +{len(more)}" if more else "")


def _of_lines(lines: Iterable[bytes], test: str) -> Iterator[Asked]:
    for line in lines:
        told = json.loads(line)
        if told.get("event") == REQUEST and told["status"] < FAILED and told["route"] != "none":
            yield Asked(
                f"{told['method']} {short(told['route'])}", told.get("api_version", ""), client(told), test
            )


def short(route: str) -> str:
    """Return a route without what all of them begin with."""
    return re.sub(r"^/subscriptions/\{\w+\}(/resourceGroups/\{\w+\})?(/providers)?/(?=\w)", "", route)


def client(told: dict[str, str]) -> str:
    """Return what the page calls the client of a request."""
    return next(name for pattern, name in CLIENTS if pattern.search(told.get("client", "")))
