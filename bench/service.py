"""How fast `vmwright serve` answers with many templates and many builds in its state, and its memory.

A new home is filled with templates, the first of which wait to be built, and served by the real command, with
TLS and tokens. Each client asks for one thing after another, over one connection. What a PUT begins is
provisioned behind the answers meanwhile, as it is in use.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import re
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2

from vmwright.arm import ids
from vmwright.arm.providers.image_templates import shapes
from vmwright.arm.providers.image_templates.bodies import read_kept, read_sent
from vmwright.arm.providers.image_templates.states import ProvisioningState
from vmwright.arm.store import GROUP_TYPE
from vmwright.runs.request import BuildRequest
from vmwright.runs.submission import submit
from vmwright.settings import Settings
from vmwright.state.database import open_database
from vmwright.state.service_tables import ArmResourceRow

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from vmwright.state.database import Database

VMWRIGHT = Path(sys.executable).parent / "vmwright"
API_VERSION = "2024-02-01"
TEMPLATE_TYPE = "Microsoft.VirtualMachineImages/imageTemplates"
IDENTITY_TYPE = "Microsoft.ManagedIdentity/userAssignedIdentities"
GROUPS = 100
SERVES = re.compile(r"vmwright serves (?P<url>https://\S+)\. ")
LOGIN = re.compile(r"-u (?P<id>\S+) -p .* --tenant")
KIB_PER_MIB = 1024
REST_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Figures:
    """What answers of one kind took, in milliseconds."""

    what: str
    clients: int
    taken: tuple[float, ...]

    def __str__(self) -> str:
        ordered = sorted(self.taken)
        p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
        middle = statistics.median(ordered)
        counts = f"{self.what:<24} {self.clients:>7} {len(ordered):>7}"
        return f"{counts} {middle:>8.1f} {p99:>8.1f} {ordered[-1]:>8.1f}"


@dataclass(frozen=True, slots=True)
class Served:
    """A service that runs."""

    process: subprocess.Popen[str]
    url: str
    ca: Path
    token: str

    @property
    def resident_mib(self) -> float:
        """The memory of its process now."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        if found is None:
            raise RuntimeError("the service has ended")
        return int(found[1]) / KIB_PER_MIB


def group_id(settings: Settings, number: int) -> str:
    return f"/subscriptions/{settings.service.subscription}/resourceGroups/images-{number % GROUPS:03}"


def template_id(settings: Settings, number: int) -> str:
    return f"{group_id(settings, number)}/providers/{TEMPLATE_TYPE}/template-{number:05}"


def body(settings: Settings, number: int) -> dict[str, Any]:
    """Return what a client sends: a template with three steps and two distributors."""
    identity = f"{group_id(settings, 0)}/providers/{IDENTITY_TYPE}/builder"
    image = f"{group_id(settings, number)}/providers/Microsoft.Compute/images/image-{number:05}"
    steps = [
        {"type": "Shell", "name": f"step-{step}", "inline": ["set -e", f"sudo install-part {step}"] * 5}
        for step in range(3)
    ]
    return {
        "location": "westus2",
        "tags": {"team": "web", "number": str(number)},
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {identity: {}}},
        "properties": {
            "source": {
                "type": "PlatformImage",
                "publisher": "Debian",
                "offer": "debian-12",
                "sku": "12",
                "version": "latest",
            },
            "customize": steps,
            "distribute": [
                {"type": "VHD", "runOutputName": "disk"},
                {"type": "ManagedImage", "runOutputName": "image", "imageId": image, "location": "westus2"},
            ],
        },
    }


def fill(settings: Settings, database: Database, *, templates: int, builds: int) -> None:
    """Put templates into the state as their provisioning leaves them, and builds into the queue."""
    identity = f"{group_id(settings, 0)}/providers/{IDENTITY_TYPE}/builder"
    ready = {"properties": {"provisioningState": "Succeeded"}}
    with database.session() as session:
        for number in range(GROUPS):
            session.add(_row(group_id(settings, number), GROUP_TYPE, ready))
        session.add(_row(identity, IDENTITY_TYPE, {"properties": {"principalId": "p", "clientId": "c"}}))
        for number in range(templates):
            wanted = template_id(settings, number)
            sent = read_sent(body(settings, number), version=API_VERSION, name=ids.parse(wanted).name)
            kept = shapes.kept(sent, ProvisioningState.SUCCEEDED)
            kept["properties"]["exactStagingResourceGroup"] = group_id(settings, number) + "-staging"
            session.add(
                _row(wanted, TEMPLATE_TYPE, {name: kept[name] for name in ("identity", "properties")})
            )
    for number in range(builds):
        name = f"template-{number:05}"
        template, _ = read_kept(body(settings, number), version=API_VERSION, name=name)
        wanted = template_id(settings, number)
        submit(BuildRequest(template=template, name=name, template_id=wanted), database)


def _row(text: str, kind: str, kept: dict[str, Any]) -> ArmResourceRow:
    wanted, now = ids.parse(text), datetime.now(UTC)
    return ArmResourceRow(
        key=wanted.key,
        resource_id=text,
        type=kind,
        name=wanted.name,
        subscription=wanted.subscription,
        resource_group=wanted.group.lower(),
        parent="",
        location="westus2",
        tags={},
        body=kept,
        api_version=API_VERSION,
        created_by="",
        created_at=now,
        changed_at=now,
    )


@contextlib.contextmanager
def serving(home: Path) -> Iterator[Served]:
    """Serve a home with the real command, and log in."""
    process = subprocess.Popen(
        [VMWRIGHT, "serve", "--no-worker", "--listen", "127.0.0.1:0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # a line for each request
        env={**os.environ, "VMWRIGHT_HOME": str(home), "PYTHONUNBUFFERED": "1"},
        text=True,
    )
    try:
        told = _told(process)
        url, client = SERVES.search(told), LOGIN.search(told)
        if url is None or client is None:
            raise RuntimeError(f"the service does not serve: {told}")
        ca = home / "service" / "ca.pem"
        form = {
            "grant_type": "client_credentials",
            "client_id": client["id"],
            "client_secret": (home / "service" / "owner-secret").read_text().strip(),
        }
        with httpx2.Client(verify=ssl.create_default_context(cafile=ca)) as http:
            answer = http.post(f"{url['url']}/adfs/oauth2/token", data=form)
        yield Served(process, url["url"], ca, answer.raise_for_status().json()["access_token"])
    finally:
        process.terminate()
        process.wait()


def _told(process: subprocess.Popen[str]) -> str:
    """Return what the command prints, up to the line with which users log in."""
    lines: list[str] = []
    for line in process.stdout or ():
        lines.append(line)
        if LOGIN.search(line):
            break
    return "".join(lines)


class Measuring:
    """Asks a service for one thing many times, and tells how long the answers took."""

    def __init__(self, served: Served) -> None:
        self._served = served

    async def answers(
        self,
        what: str,
        ask: Callable[[httpx2.AsyncClient, int], Awaitable[httpx2.Response]],
        *,
        clients: int,
        times: int,
    ) -> Figures:
        """Ask so many times in all, by so many clients at once."""
        numbers = iter(range(times))
        taken: list[float] = []

        async def one() -> None:
            async with self._client() as client:
                # the connection is there before anything is measured
                await client.get("/metadata/endpoints?api-version=2022-09-01")
                for number in numbers:
                    begun = time.perf_counter()
                    answer = await ask(client, number)
                    taken.append((time.perf_counter() - begun) * 1000)
                    answer.raise_for_status()

        async with asyncio.TaskGroup() as group:
            for _ in range(clients):
                group.create_task(one())
        return Figures(what, clients, tuple(taken))

    def _client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(
            base_url=self._served.url,
            headers={"Authorization": f"Bearer {self._served.token}"},
            verify=ssl.create_default_context(cafile=self._served.ca),
            timeout=60,
        )


async def measure(served: Served, settings: Settings, *, templates: int, times: int) -> list[Figures]:
    """Return the figures of each kind of request, by one client and by eight at once."""
    measuring, drawn = Measuring(served), random.Random(1)  # noqa: S311 - which templates are asked for
    at = f"?api-version={API_VERSION}"
    around = f"providers/{TEMPLATE_TYPE}{at}"
    subscription = f"/subscriptions/{settings.service.subscription}"

    async def get(client: httpx2.AsyncClient, _: int) -> httpx2.Response:
        return await client.get(template_id(settings, drawn.randrange(templates)) + at)

    async def update(client: httpx2.AsyncClient, number: int) -> httpx2.Response:
        # none twice: a template that is being provisioned refuses
        return await client.put(template_id(settings, number) + at, json=body(settings, number))

    async def list_group(client: httpx2.AsyncClient, number: int) -> httpx2.Response:
        return await client.get(f"{group_id(settings, number)}/{around}")

    async def list_page(client: httpx2.AsyncClient, _: int) -> httpx2.Response:
        return await client.get(f"{subscription}/{around}")

    figures = []
    made = templates
    for clients in (1, 8):
        figures.append(await measuring.answers("GET template", get, clients=clients, times=times))

        async def create(client: httpx2.AsyncClient, number: int, first: int = made) -> httpx2.Response:
            return await client.put(
                template_id(settings, first + number) + at, json=body(settings, first + number)
            )

        figures.append(await measuring.answers("PUT a new template", create, clients=clients, times=times))
        made += times
        await idle(served)

        async def change(client: httpx2.AsyncClient, number: int, first: int = made) -> httpx2.Response:
            return await update(client, first - times + number)

        figures.append(await measuring.answers("PUT one that is there", change, clients=clients, times=times))
        await idle(served)
        pages = max(times // 10, 10)
        figures.append(await measuring.answers("list of a group", list_group, clients=clients, times=pages))
        figures.append(
            await measuring.answers("page of all templates", list_page, clients=clients, times=pages)
        )
    return figures


async def idle(served: Served) -> None:
    """Wait until the service has provisioned what PUTs have begun: it uses no processor any more."""
    stat = Path(f"/proc/{served.process.pid}/stat")
    while True:
        before = stat.read_text().rpartition(")")[2].split()[11:13]
        await asyncio.sleep(1)
        after = stat.read_text().rpartition(")")[2].split()[11:13]
        if sum(map(int, after)) - sum(map(int, before)) <= 1:
            return


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--templates", type=int, default=10_000)
    parser.add_argument("--builds", type=int, default=1_000)
    parser.add_argument("--times", type=int, default=1_000, help="requests of each kind")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        settings = Settings(home=home)
        database = open_database(settings)
        fill(settings, database, templates=given.templates, builds=given.builds)
        database.close()
        with serving(home) as served:
            time.sleep(REST_SECONDS)
            at_start = served.resident_mib
            figures = asyncio.run(measure(served, settings, templates=given.templates, times=given.times))
            time.sleep(REST_SECONDS)
            afterwards = served.resident_mib
    print(f"{given.templates} templates, {given.builds} builds in the queue")
    print(f"{'':<24} {'clients':>7} {'times':>7} {'p50 ms':>8} {'p99 ms':>8} {'most ms':>8}")
    for line in figures:
        print(line)
    print(f"memory at rest: {at_start:.0f} MiB after its start, {afterwards:.0f} MiB after all that")


if __name__ == "__main__":
    main()
