"""``vmwright serve``: ARM for az, the SDKs and deployments, on this host."""

from __future__ import annotations

import asyncio
import shlex
from typing import TYPE_CHECKING

from vmwright.arm.connections import raise_file_limit
from vmwright.arm.observing.logs import log_notice, written
from vmwright.arm.serving import Serving
from vmwright.cli.running import SIGNALS, fail, opened
from vmwright.cli.screen import say
from vmwright.errors import VmwrightError
from vmwright.events import Events

if TYPE_CHECKING:
    from vmwright.arm.serving import Opened
    from vmwright.settings import Settings
    from vmwright.state.database import Database

CLOUD = "vmwright"


def serve(*, listen: str | None, builds: bool, new_secret: bool) -> None:
    """Serve until SIGTERM or Ctrl-C; a second one hands over the builds that still run."""
    given = {} if listen is None else {"service": {"listen": listen}}
    with opened(**given) as (settings, database):
        raise_file_limit()
        try:
            with written(settings.service.log_format):
                asyncio.run(_serve(settings, database, builds=builds, new_secret=new_secret))
        except VmwrightError as error:
            fail(error)


async def _serve(settings: Settings, database: Database, *, builds: bool, new_secret: bool) -> None:
    serving = Serving(settings, database, Events(log_notice), builds=builds)
    for number in SIGNALS:
        asyncio.get_running_loop().add_signal_handler(number, serving.stop)
    await serving.serve(_tell, new_secret=new_secret)


def _tell(service: Opened) -> None:
    """Print what users paste into their terminals."""
    say(f"vmwright serves {service.url}. In the terminals of its clients:")
    say()
    for line in _lines(service):
        say(f"  {line}")
    say()
    if service.owner is not None and service.owner.secret is None:
        say("The owner's secret is not in this home: vmwright serve --new-secret makes another one.")


def _lines(service: Opened) -> list[str]:
    lines = [
        "export AZURE_CONFIG_DIR=~/.azure-vmwright  # leaves your Azure profile alone",
        f"export REQUESTS_CA_BUNDLE={shlex.quote(str(service.ca))}",
        f"az cloud register -n {CLOUD} --endpoint-resource-manager {service.url}  # once",
        f"az cloud set -n {CLOUD}",
    ]
    if service.owner is None:
        return [*lines, f"az login --tenant {service.tenant}"]
    secret = f'"$(cat {shlex.quote(str(service.owner.secret))})"' if service.owner.secret else "SECRET"
    login = f"az login --service-principal -u {service.owner.app_id} -p {secret} --tenant {service.tenant}"
    return [*lines, login]
