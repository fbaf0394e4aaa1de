"""Azure's platform on loopback, asked by a real HTTP client as a guest's agents ask it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from tests.scripted import Recorder
from tests.unit.machines.test_azure_documents import READY, instance
from vmwright.errors import MachineError
from vmwright.events import Events, Level, Notice
from vmwright.guests.ssh import SshAddress, SshTransport
from vmwright.machines.azure import imds, web
from vmwright.machines.azure import wireserver as wire
from vmwright.machines.azure.instance import METADATA_ADDRESS, WIRESERVER_ADDRESS, Instance
from vmwright.machines.azure.platform import Platform
from vmwright.machines.machine import AssignedIdentity, AzureEnvironment, MachineSpec
from vmwright.machines.qemu import QemuMachine
from vmwright.settings import Settings
from vmwright.state.database import open_database
from vmwright.state.resources import Ledger
from vmwright.template.model import Generation

HEADERS = {"Metadata": "true"}
VERSION = "api-version=2021-08-01"
TOKEN = "/metadata/identity/oauth2/token?api-version=2018-02-01"
STORAGE = "https%3A%2F%2Fstorage.azure.com%2F"
NAMES = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities"
FAILED = b"""<Health><State>NotReady</State><Details><SubStatus>ProvisioningFailed</SubStatus>
<Description>result=error|reason=failure to parse ovf-env.xml|agent=Cloud-Init/24</Description>
</Details></Health>"""


@dataclass
class Guest:
    """A client in the place of a guest, and what the user sees meanwhile."""

    platform: Platform
    recorder: Recorder
    events: Events
    ports: dict[tuple[str, int], int] = field(default_factory=dict)
    client: httpx2.AsyncClient = field(default_factory=lambda: httpx2.AsyncClient(trust_env=False))

    async def listen(self, address: str, port: int) -> socket.socket:
        listening = socket.create_server(("127.0.0.1", 0))
        listening.settimeout(0)
        self.ports[address, port] = listening.getsockname()[1]
        return listening

    async def metadata(self, path: str, **headers: str) -> httpx2.Response:
        url = f"http://127.0.0.1:{self.ports[METADATA_ADDRESS, imds.PORT]}{path}"
        return await self.client.get(url, headers=headers or HEADERS)

    def wire(self, path: str) -> str:
        return f"http://127.0.0.1:{self.ports[WIRESERVER_ADDRESS, wire.PORT]}{path}"

    async def report(self, document: bytes) -> httpx2.Response:
        return await self.client.post(self.wire("/machine?comp=health"), content=document)

    def said(self, level: Level) -> list[str]:
        return [event.message for event in self.recorder.of(Notice) if event.level is level]


@contextlib.asynccontextmanager
async def guest_of(machine: Instance) -> AsyncIterator[Guest]:
    recorder = Recorder()
    events = Events(recorder)
    guest = Guest(Platform(machine, events), recorder, events)
    async with guest.platform.served(guest.listen), guest.client:
        yield guest


@pytest.fixture
async def guest() -> AsyncIterator[Guest]:
    async with guest_of(instance()) as found:
        yield found


async def test_the_instance_is_given_whole_and_by_its_parts(guest: Guest) -> None:
    whole = await guest.metadata(f"/metadata/instance?{VERSION}&extended=true")
    assert whole.json()["compute"]["publicKeys"]
    assert (await guest.metadata(f"/metadata/instance/network?{VERSION}")).json() == whole.json()["network"]
    text = f"?{VERSION}&format=text"
    for path, expected in (
        ("compute/vmSize", "Standard_D2ds_v4"),
        ("Compute/location", "westus2"),
        ("network/interface/0/ipv4/ipAddress/0/privateIpAddress", "10.0.2.15"),
        ("", "compute/\nnetwork/"),
        ("network/interface", "0/"),
        ("compute/zone", ""),
    ):
        answer = await guest.metadata(f"/metadata/instance/{path}{text}")
        assert (answer.status_code, answer.text) == (200, expected)
    assert "2021-02-01" in (await guest.metadata("/metadata/versions")).json()["apiVersions"]


@pytest.mark.parametrize(
    ("path", "headers", "status", "words"),
    [
        (f"/metadata/instance?{VERSION}", {"Accept": "*/*"}, 400, "Required metadata header"),
        (f"/metadata/instance?{VERSION}", {**HEADERS, "X-Forwarded-For": "1.2.3.4"}, 400, "X-Forwarded-For"),
        ("/metadata/instance", HEADERS, 400, "api-version is invalid"),
        ("/metadata/instance?api-version=latest", HEADERS, 400, "api-version is invalid"),
        (f"/metadata/instance/compute/nothing?{VERSION}", HEADERS, 404, "Not found"),
        (f"/metadata/instance/network/interface/1?{VERSION}", HEADERS, 404, "Not found"),
        (f"/metadata/instance/network/interface/{'9' * 5000}?{VERSION}", HEADERS, 404, "Not found"),
        (f"/metadata/instance/compute/name?{VERSION}", HEADERS, 400, "format=text"),
        ("/metadata/attested/document?api-version=2020-09-01", HEADERS, 404, "Not found"),
        ("/<script>", HEADERS, 404, "Not found"),
    ],
)
async def test_a_wrong_request_gets_an_error_in_json(
    guest: Guest, path: str, headers: dict[str, str], status: int, words: str
) -> None:
    answer = await guest.metadata(path, **headers)
    assert answer.status_code == status
    assert words in answer.json()["error"]
    assert "script" not in answer.text


async def test_a_guest_without_identities_gets_no_token(guest: Guest) -> None:
    answer = await guest.metadata(f"{TOKEN}&resource={STORAGE}")
    assert answer.status_code == 400
    assert answer.json() == {"error": "invalid_request", "error_description": "Identity not found"}
    missing = await guest.metadata(TOKEN)
    assert "'resource' is missing" in missing.json()["error_description"]


def with_identities(*commands: tuple[str, ...]) -> Instance:
    machine = instance()
    identities = tuple(
        AssignedIdentity(resource_id=f"{NAMES}/id{number}", client_id=f"client-{number}", command=command)
        for number, command in enumerate(commands)
    )
    return Instance(
        name=machine.name,
        user=machine.user,
        public_key=machine.public_key,
        environment=AzureEnvironment(location="westus2", vm_size="x", identities=identities),
        nic=machine.nic,
    )


async def test_a_token_comes_from_the_command_of_its_identity(tmp_path: Path) -> None:
    expires = int(time.time()) + 600
    printed = json.dumps({"accessToken": "t0k3n-0", "expires_on": expires, "tokenType": "Bearer"})
    echo = (sys.executable, "-c", "import sys; print('of', sys.argv[1], sep='-')", "{resource}")
    async with guest_of(with_identities(("echo", printed), echo)) as guest:
        both = await guest.metadata(f"{TOKEN}&resource={STORAGE}")
        assert "Multiple user assigned identities exist" in both.json()["error_description"]
        first = (await guest.metadata(f"{TOKEN}&resource={STORAGE}&client_id=CLIENT-0")).json()
        assert (first["access_token"], first["expires_on"]) == ("t0k3n-0", str(expires))
        assert (first["token_type"], first["resource"]) == ("Bearer", "https://storage.azure.com/")
        assert 500 < int(first["expires_in"]) <= 600
        second = await guest.metadata(f"{TOKEN}&resource={STORAGE}&mi_res_id={NAMES.upper()}/ID1")
        assert second.json()["access_token"] == "of-https://storage.azure.com/"
        other = await guest.metadata(f"{TOKEN}&resource={STORAGE}&client_id=another")
        assert other.json()["error_description"] == "Identity not found"
        guest.events.note("a step printed t0k3n-0")
        assert guest.said(Level.NOTE) == ["a step printed ******"]


@pytest.mark.parametrize("resource", ["--help", "a%20b", "https%3A%2F%2Fx%2F%0A", "%2Fetc", "x" * 300])
async def test_a_guest_puts_only_a_resource_on_a_command_line(resource: str) -> None:
    async with guest_of(with_identities(("echo", "{resource}"))) as guest:
        answer = await guest.metadata(f"{TOKEN}&resource={resource}")
        assert (answer.status_code, answer.json()["error_description"]) == (400, "Invalid resource")


@pytest.mark.parametrize(
    "command",
    [("false",), ("no-such-program",), ("true",), ("echo", '{"a": 1}'), ("echo", '{"a":' + "[" * 100_000)],
)
async def test_a_command_that_fails_is_told_to_the_user_and_not_to_the_guest(
    command: tuple[str, ...],
) -> None:
    async with guest_of(with_identities(command)) as guest:
        answer = await guest.metadata(f"{TOKEN}&resource=https://vault.azure.net")
        assert answer.status_code == 500
        assert answer.json()["error_description"] == "Failed to retrieve token from the Active directory"
        await guest.metadata(f"{TOKEN}&resource=https://vault.azure.net")
        assert [NAMES in line for line in guest.said(Level.WARNING)] == [True]


async def test_the_goal_state_leads_to_its_documents(guest: Guest) -> None:
    versions = await guest.client.get(guest.wire("/?comp=versions"))
    assert "<Version>2012-11-30</Version>" in versions.text
    state = await guest.client.get(guest.wire("/machine/?comp=goalstate"))
    assert state.headers["content-type"] == "text/xml; charset=utf-8"
    links = [part.partition("<")[0] for part in state.text.split(f"http://{WIRESERVER_ADDRESS}:80")[1:]]
    assert len(links) == 3
    for link in links:
        found = await guest.client.get(guest.wire(link.replace("&amp;", "&")))
        assert (found.status_code, found.text[:5]) == (200, "<?xml")
    assert (await guest.client.get(guest.wire("/machine?comp=certificates"))).status_code == 404


async def test_a_guest_that_reports_ready_is_provisioned(guest: Guest) -> None:
    waiting = asyncio.create_task(guest.platform.wait_until_ready())
    assert (await guest.report(b"<State>NotReady</State><SubStatus>Provisioning</SubStatus>")).is_success
    assert guest.platform.failure() is None
    assert not waiting.done()
    assert (await guest.report(READY)).is_success
    await waiting
    assert (await guest.report(READY)).is_success
    assert guest.said(Level.NOTE) == ["The guest reports that it is provisioned"]
    await guest.report(FAILED)
    await guest.report(FAILED)
    assert guest.platform.failure() is None
    assert ["failure to parse" in line for line in guest.said(Level.WARNING)] == [True]


async def test_a_failure_is_told_in_the_guests_own_words(guest: Guest) -> None:
    await guest.report(FAILED)
    failure = guest.platform.failure()
    assert failure is not None
    assert failure.startswith(
        "The guest reports that its provisioning failed: result=error|reason=failure to"
    )


async def test_a_failure_ends_the_start_at_once(guest: Guest, tmp_path: Path) -> None:
    spec = MachineSpec(name="vm", folder=tmp_path, cpus=1, memory_mib=1024, generation=Generation.V1)
    database = open_database(Settings(home=tmp_path / "home"))
    machine = QemuMachine(spec, Ledger(database), guest.events)
    machine._platform = guest.platform
    address = SshAddress("127.0.0.1", 1, spec.user, machine.access.client_key, machine.access.host_key)
    connecting = asyncio.create_task(SshTransport(address, lost=machine.ended).connect(timeout=600))
    await guest.report(FAILED)
    with pytest.raises(MachineError, match=r"provisioning failed: result=error\|reason=failure to parse"):
        await connecting
    database.close()


async def test_telemetry_is_taken_and_dropped_and_the_host_plugin_has_its_version_only(guest: Guest) -> None:
    telemetry = await guest.client.post(guest.wire("/machine?comp=telemetrydata"), content=b"x" * 60_000)
    assert (telemetry.status_code, telemetry.content) == (200, b"")
    configuration = await guest.client.get(guest.wire("/machine?comp=config&type=extensionsConfig"))
    place = configuration.text.partition(f"http://{WIRESERVER_ADDRESS}:80")[2].partition("<")[0]
    assert (await guest.client.put(guest.wire(place), content=b"{}")).status_code == 201
    plugin = guest.ports[WIRESERVER_ADDRESS, wire.HOST_PLUGIN_PORT]
    assert (await guest.client.get(f"http://127.0.0.1:{plugin}/versions")).json() == ["2015-09-01"]
    assert (await guest.client.get(f"http://127.0.0.1:{plugin}/vmSettings")).status_code == 404


async def test_what_a_guest_sends_is_bounded(guest: Guest, capfd: pytest.CaptureFixture[str]) -> None:
    large = b"<State>Ready</State>".ljust(web.MOST_BODY_BYTES + 1)
    assert (await guest.report(large)).status_code == 413
    assert guest.said(Level.NOTE) == []
    port = guest.ports[WIRESERVER_ADDRESS, wire.PORT]
    idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(web.MOST_CONNECTIONS + 20)]
    dropped = [reader for reader, _ in idle[-10:]]
    assert [await reader.read() for reader in dropped] == [b""] * 10
    for _, writer in idle:
        writer.close()
    assert capfd.readouterr() == ("", "")


async def test_the_addresses_are_free_again_at_the_end() -> None:
    async with guest_of(instance()) as guest:
        ports = list(guest.ports.values())
    for port in ports:
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
