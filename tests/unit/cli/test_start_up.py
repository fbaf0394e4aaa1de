"""What commands do not load, because it takes long and they may not need it."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("sqlalchemy", "pydantic", "httpx2", "asyncssh", "dbos", "obstore", "psycopg")
# dbos comes while a build finds its source, the rest where the configuration asks for it
LATER = (
    *("starlette", "uvicorn", "azure.identity", "azure.storage.blob", "alembic"),
    *("dbos", "obstore", "psycopg"),
)
# the SSH library looks for others by the host's linker: only virtual machines need it
OF_MACHINES = ("asyncssh", "pycdlib", "qemu.qmp", "rich")
# lists show rows: they neither read templates nor ask a network
OF_TEMPLATES = ("tree_sitter", "httpx2", "stamina")


@pytest.mark.parametrize(
    ("command", "not_loaded"),
    [
        ("app", ("asyncio", "rich", *HEAVY)),
        ("check", ("rich", *HEAVY)),
        ("schema", ("rich", *HEAVY)),
        ("build", (*OF_MACHINES, *LATER)),
        ("resuming", LATER),
        ("canceling", LATER),
        ("worker", LATER),
        ("lists", (*OF_TEMPLATES, *OF_MACHINES, *LATER)),
        ("images", (*OF_TEMPLATES, *OF_MACHINES, *LATER)),
        ("boot", LATER),
    ],
)
def test_a_command_does_not_load_what_it_may_not_need(command: str, not_loaded: tuple[str, ...]) -> None:
    code = f"import sys, vmwright.cli.{command}; print([one for one in {not_loaded!r} if one in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"
