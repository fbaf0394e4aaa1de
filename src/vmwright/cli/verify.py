"""``vmwright verify``: finished files against the sums beside them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from vmwright.artifacts.verifying import verify as verify_file
from vmwright.cli.running import print_error, run
from vmwright.errors import VmwrightError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def verify(paths: Sequence[Path]) -> None:
    """Check each file; the program's exit code is 1 where one of them is not what its sums say."""
    if not run(_verified(paths)):
        sys.exit(VmwrightError.exit_code)


async def _verified(paths: Sequence[Path]) -> bool:
    """Say of each file how it is, and return whether all are right."""
    right = True
    for path in paths:
        try:
            await verify_file(path.absolute())
            print(f"{path}: OK", flush=True)
        except VmwrightError as error:
            print_error(error)
            right = False
        except OSError as error:
            print_error(VmwrightError(f"{path} cannot be read: {error.strerror}", target=str(path)))
            right = False
    return right
