from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import update

from tests.component.arm.asking import SUBSCRIPTION, arm_of, asking
from tests.component.arm.image_templates.talking import GROUP, TEMPLATE, Talk, template
from tests.queueing import ALL, worker
from vmwright.arm import ids
from vmwright.arm.access import roles
from vmwright.arm.access.access import Access, open_access
from vmwright.arm.access.assignments import Assignment
from vmwright.arm.access.principal import Principal
from vmwright.arm.background import Background
from vmwright.arm.http.errors import ArmError
from vmwright.arm.providers import image_templates, resources, storage
from vmwright.arm.providers.storage.signatures import Grant, signatures_of
from vmwright.arm.service import Service
from vmwright.distributors.distributor import RunOutput
from vmwright.runs.queue import claim_next
from vmwright.runs.records import BuildRecords
from vmwright.runs.states import RunState
from vmwright.settings import Settings
from vmwright.state.database import Database
from vmwright.state.tables import LogRow, RunOutputRow

READER, STRANGER = "44444444-4444-4444-4444-444444444444", "55555555-5555-5555-5555-555555555555"
STORAGE = "providers/Microsoft.Storage/storageAccounts"
DISK_BYTES = 6 << 20
FOOTER = b"conectix" + bytes(504)


class Tokens:
    """Takes the object id in the place of a token for whom it is for."""

    async def principal_of(self, authorization: str) -> Principal:
        if not authorization.startswith("Bearer "):
            raise ArmError(401, "AuthenticationFailed", "Authentication failed.", is_gateways=True)
        return Principal(id=authorization.removeprefix("Bearer "), name="somebody")


@pytest.fixture
def access(database: Database) -> Access:
    access = open_access(database, SUBSCRIPTION)
    access.assignments.put(
        Assignment(
            scope=GROUP,
            name=READER,
            role_id=roles.READER.id,
            principal_id=READER,
            principal_type="User",
            description="",
            created_by="",
            created_at=datetime.now(UTC),
        )
    )
    return access


@pytest.fixture
async def talk(service: Service, background: Background, access: Access) -> AsyncIterator[Talk]:
    """A client of a service that has storage accounts, too."""
    arm = arm_of(
        [
            *image_templates.routes(service, background, access),
            *storage.routes(service, Tokens(), access.decisions),
            *resources.routes(service, []),
        ]
    )
    async with background.running(), asking(arm) as client:
        yield Talk(client, background)


@dataclass(frozen=True)
class Built:
    """A template with a build that has ended, and what that has left."""

    talk: Talk
    build_id: str
    disk: Path
    log: Path
    url: str
    log_url: str

    async def ask(
        self, url: str, *, of: str | None = READER, method: str = "GET", **headers: str
    ) -> httpx2.Response:
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if of:
            given["Authorization"] = f"Bearer {of}"
        return await self.talk.client.request(method, url, headers=given)

    async def account(self) -> dict[str, Any]:
        (account,) = (await self.talk.get(f"/subscriptions/{SUBSCRIPTION}/{STORAGE}"))["value"]
        found: dict[str, Any] = account
        return found

    async def sign(self, **changed: Any) -> httpx2.Response:
        account = await self.account()
        asked = {
            "canonicalizedResource": f"/blob/{account['name']}/vhds/{self.disk.name}",
            "signedResource": "b",
            "signedPermission": "r",
            "signedExpiry": f"{datetime.now(UTC) + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}",
        }
        body = {name: value for name, value in {**asked, **changed}.items() if value is not None}
        return await self.talk("POST", f"{account['id']}/listServiceSas", body)


@pytest.fixture
async def built(talk: Talk, database: Database, settings: Settings) -> Built:
    await talk.put()
    await talk("POST", f"{TEMPLATE}/run")
    held = claim_next(database, worker(database, ALL), ALL)
    assert held is not None
    records = BuildRecords(database, held)
    disk = settings.home / "artifacts" / "vhds" / held.build_id / "disk_20300101120000.vhd"
    disk.parent.mkdir(parents=True)
    with disk.open("wb") as file:
        file.write(b"begin")
        file.truncate(DISK_BYTES - len(FOOTER))
        file.seek(0, os.SEEK_END)
        file.write(FOOTER)
    log = settings.home / "builds" / held.build_id / "customization.log"
    log.parent.mkdir(parents=True)
    log.write_text("one\ntwo\n")
    records.log(log.name, log)
    records.distributed(RunOutput(name="disk", kind="VHD", artifact_uri=disk.as_uri()))
    said = f"It failed.\nImage build log location: {log}. OperationId: {held.build_id}."
    records.end(RunState.FAILED, said)
    output = await talk.get(f"{TEMPLATE}/runOutputs/disk")
    message = (await talk.get())["properties"]["lastRunStatus"]["message"]
    found = message.partition("Image build log location: ")[2].partition(". OperationId")[0]
    return Built(talk, held.build_id, disk, log, output["properties"]["artifactUri"], found)


async def test_a_vhd_is_downloaded_at_its_artifact_uri(built: Built) -> None:
    assert built.url.startswith("https://localhost:8443/")
    assert built.url.endswith(f"/vhds/{built.disk.name}")
    answer = await built.ask(built.url)
    assert answer.status_code == 200
    assert answer.content == built.disk.read_bytes()
    assert answer.headers["Content-Length"] == str(DISK_BYTES)
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{built.disk.name}"'
    assert answer.headers["x-ms-blob-type"] == "PageBlob"
    asked = await built.ask(built.url, method="HEAD")
    assert asked.status_code == 200
    assert asked.content == b""
    assert {**asked.headers, "x-ms-request-id": ""} == {
        **answer.headers,
        "x-ms-request-id": "",
        "x-ms-correlation-request-id": asked.headers["x-ms-correlation-request-id"],
    }


async def test_a_part_of_a_vhd_is_downloaded(built: Built) -> None:
    whole = built.disk.read_bytes()
    etag = (await built.ask(built.url, method="HEAD")).headers["ETag"]
    for name, wanted, start, stop in (
        ("Range", "bytes=0-9", 0, 10),
        ("x-ms-range", f"bytes={DISK_BYTES - 512}-", DISK_BYTES - 512, DISK_BYTES),
        ("Range", "bytes=-8", DISK_BYTES - 8, DISK_BYTES),
    ):
        answer = await built.ask(built.url, **{name: wanted, "If_Range": etag, "If_Match": etag})
        assert answer.status_code == 206
        assert answer.content == whole[start:stop]
        assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{DISK_BYTES}"
        assert answer.headers["Content-Length"] == str(stop - start)
    behind = await built.ask(built.url, Range=f"bytes={DISK_BYTES}-")
    assert behind.status_code == 416
    assert behind.headers["Content-Range"] == f"bytes */{DISK_BYTES}"


async def test_clients_learn_where_a_disk_has_data(built: Built) -> None:
    answer = await built.ask(f"{built.url}?comp=pagelist")
    assert answer.headers["x-ms-blob-content-length"] == str(DISK_BYTES)
    page = re.compile(r"<PageRange><Start>(\d+)</Start><End>(\d+)</End></PageRange>")
    ranges = [(int(start), int(stop)) for start, stop in page.findall(answer.text)]
    assert page.sub("", answer.text) == '<?xml version="1.0" encoding="utf-8"?><PageList></PageList>'
    whole = built.disk.read_bytes()
    for start, stop in ranges:
        assert start % 512 == (stop + 1) % 512 == 0
        whole = whole[:start] + bytes(stop + 1 - start) + whole[stop + 1 :]
    assert whole == bytes(DISK_BYTES)
    assert sum(stop + 1 - start for start, stop in ranges) < DISK_BYTES / 2


async def test_nothing_else_is_answered_with_the_bytes_of_a_blob(built: Built) -> None:
    for url in (f"{built.url}?comp=metadata", f"{built.log_url}?comp=pagelist"):
        refused = await built.ask(url)
        assert refused.status_code == 400
        assert refused.headers["x-ms-error-code"] == "InvalidQueryParameterValue"


async def test_what_has_changed_since_is_sent_whole_or_refused(built: Built) -> None:
    before = await built.ask(built.url, method="HEAD")
    tag, at = before.headers["ETag"], before.headers["Last-Modified"]
    assert (await built.ask(built.url, Range="bytes=0-1", If_Range=at)).status_code == 206
    assert (await built.ask(built.url, If_None_Match=f'"x", {tag}')).status_code == 304
    built.disk.write_bytes(b"another")
    os.utime(built.disk, (1, 1))
    for if_range in (tag, at):
        answer = await built.ask(built.url, Range="bytes=0-1", If_Range=if_range)
        assert (answer.status_code, answer.content) == (200, b"another")
    assert (await built.ask(built.url, If_Match=tag)).status_code == 412
    assert (await built.ask(built.url, If_None_Match=tag)).status_code == 200


async def test_only_who_may_read_the_template_has_its_files(built: Built) -> None:
    for url in (built.url, built.log_url):
        assert (await built.ask(url, of=None)).status_code == 401
        refused = await built.ask(url, of=STRANGER)
        assert refused.status_code == 403
        assert "Microsoft.VirtualMachineImages/imageTemplates/read" in refused.json()["error"]["message"]
        assert (await built.ask(url)).status_code == 200


async def test_a_failed_run_says_where_its_log_is(built: Built) -> None:
    assert built.log_url.endswith(f"/packerlogs/{built.build_id}/customization.log")
    answer = await built.ask(built.log_url)
    assert answer.text == "one\ntwo\n"
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    with built.log.open("a") as more:
        more.write("three\n")
    assert (await built.ask(built.log_url, Range="bytes=8-")).text == "three\n"


async def test_the_operation_of_a_failed_run_says_it_too(
    talk: Talk, built: Built, database: Database
) -> None:
    run = await talk("POST", f"{TEMPLATE}/run")
    held = claim_next(database, worker(database, ALL), ALL)
    assert held is not None
    said = f"Image build log location: /somewhere else/validation.log. OperationId: {held.build_id}."
    BuildRecords(database, held).end(RunState.FAILED, said)
    account = (await built.account())["name"]
    for _ in range(2):
        message = (await talk.ended(run))["error"]["message"]
        log = f"https://localhost:8443/{account}/packerlogs/{held.build_id}/validation.log"
        assert message == f"Image build log location: {log}. OperationId: {held.build_id}."


async def test_a_log_of_another_host_comes_from_the_shared_store(
    built: Built, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.session() as session:
        session.execute(update(LogRow).values(host="elsewhere"))

    async def read_log(*_: object) -> bytes:
        return b"from afar"

    monkeypatch.setattr("vmwright.arm.providers.storage.blobs.read_log", read_log)
    answer = await built.ask(built.log_url, Range="bytes=5-")
    assert (answer.status_code, answer.text) == (206, "afar")
    vhd = await built.ask(built.url)
    assert vhd.status_code == 409
    assert "the host that built it" in vhd.json()["error"]["message"]


async def test_nobody_reads_another_file(built: Built, database: Database, tmp_path: Path) -> None:
    account = built.url.rpartition("/vhds/")[0]
    (tmp_path / "secret.vhd").write_text("secret")
    other = built.disk.parent.parent / "other.vhd"
    other.write_text("other")
    for path in (
        "vhds/secret.vhd",
        "vhds/%2e%2e%2fother.vhd",
        "vhds/../other.vhd",
        "vhds/..%5cother.vhd",
        f"packerlogs/{built.build_id}/console.log",
        f"packerlogs/{built.build_id}/..%2f..%2fstate.sqlite",
        "packerlogs/00000000-0000-0000-0000-000000000000/customization.log",
    ):
        assert (await built.ask(f"{account}/{path}")).status_code in {400, 404}
    assert (await built.ask(built.url.replace(account, "https://localhost:8443/nobody"))).status_code == 404
    for elsewhere in (other, tmp_path / "secret.vhd"):
        with database.session() as session:
            session.execute(update(RunOutputRow).values(artifact_uri=elsewhere.as_uri()))
        assert (await built.ask(f"{account}/vhds/{elsewhere.name}")).status_code == 404
    link = built.disk.with_name("link.vhd")
    link.symlink_to(other)
    with database.session() as session:
        session.execute(update(RunOutputRow).values(artifact_uri=link.as_uri()))
    assert (await built.ask(f"{account}/vhds/link.vhd")).status_code == 404


async def test_the_account_is_a_resource_of_the_staging_group(talk: Talk, built: Built) -> None:
    staging = (await talk.get())["properties"]["exactStagingResourceGroup"]
    account = await built.account()
    assert account["id"] == f"{staging}/{STORAGE}/{account['name']}"
    assert len(account["name"]) == 24
    assert "template" not in account
    assert built.url.startswith(account["properties"]["primaryEndpoints"]["blob"])
    assert await talk.get(account["id"]) == account
    assert (await talk.get(f"{staging}/{STORAGE}"))["value"] == [account]
    assert [one["id"] for one in (await talk.get(f"{staging}/resources"))["value"]] == [account["id"]]
    assert (await talk("GET", f"{staging}/{STORAGE}/other")).status_code == 404
    refused = await talk("POST", f"{account['id']}/listKeys")
    assert refused.status_code == 409
    assert "listServiceSas" in refused.json()["error"]["message"]


async def test_a_signed_address_needs_no_token_until_it_expires(built: Built, settings: Settings) -> None:
    token = (await built.sign()).json()["serviceSasToken"]
    signed = f"{built.url}?{token}"
    assert (await built.ask(signed, of=None, Range="bytes=0-4")).content == b"begin"
    assert (await built.ask(f"{built.log_url}?{token}", of=None)).status_code == 403
    assert (await built.ask(signed.replace("sp=r", "sp=rw"), of=None)).status_code == 403
    # a signature that is not valid is not made up for by a token
    assert (await built.ask(f"{built.url}?sig=x")).status_code == 403
    container = f"/blob/{(await built.account())['name']}/packerlogs"
    logs = (await built.sign(canonicalizedResource=container, signedResource="c")).json()["serviceSasToken"]
    assert (await built.ask(f"{built.log_url}?{logs}", of=None)).text == "one\ntwo\n"

    account = (await built.account())["name"]
    over = Grant(
        resource=f"{account}/vhds/{built.disk.name}",
        kind="b",
        expires_at=datetime.now(UTC) - timedelta(seconds=1),
    )
    expired = await built.ask(f"{built.url}?{signatures_of(settings).sign(over)}", of=None)
    assert expired.status_code == 403
    assert "has expired" in expired.json()["error"]["message"]


@pytest.mark.parametrize(
    ("changed", "target"),
    [
        ({"signedExpiry": None}, "signedExpiry"),
        ({"signedExpiry": "tomorrow"}, "signedExpiry"),
        ({"signedExpiry": "2001-01-01T00:00:00Z"}, "signedExpiry"),
        ({"signedExpiry": "2999-01-01T00:00:00Z"}, "signedExpiry"),
        ({"signedExpiry": "0001-01-01T00:00:00+14:00"}, "signedExpiry"),
        ({"signedStart": 5}, "signedStart"),
        ({"signedPermission": "rw"}, "signedPermission"),
        ({"signedResource": "d"}, "signedResource"),
        ({"signedResource": "c"}, "canonicalizedResource"),
        ({"canonicalizedResource": "/blob/other/vhds/disk.vhd"}, "canonicalizedResource"),
        ({"canonicalizedResource": ["vhds"]}, "canonicalizedResource"),
        ({"signedProtocol": "http"}, "signedProtocol"),
        ({"signedIp": "10.0.0.1"}, "signedIp"),
    ],
)
async def test_what_cannot_be_signed_is_told(built: Built, changed: dict[str, Any], target: str) -> None:
    answer = await built.sign(**changed)
    assert answer.status_code == 400
    assert answer.json()["error"]["target"] == target


async def test_the_account_goes_with_the_template_or_moves_with_it(
    talk: Talk, built: Built, service: Service
) -> None:
    before = await built.account()
    other = GROUP.replace("/images", "/staged")
    await talk.put(template(stagingResourceGroup=other))
    moved = await built.account()
    assert moved["id"].startswith(f"{other}/")
    assert service.store.find(ids.parse(before["id"])) is None
    uri = (await talk.get(f"{TEMPLATE}/runOutputs/disk"))["properties"]["artifactUri"]
    assert (await built.ask(uri)).status_code == 200
    assert (await built.ask(built.url)).status_code == 404
    await talk("DELETE", TEMPLATE)
    assert (await talk.get(f"/subscriptions/{SUBSCRIPTION}/{STORAGE}"))["value"] == []
    assert (await built.ask(uri)).status_code == 404


async def test_the_sums_of_a_disk_are_there_with_it(built: Built) -> None:
    assert (await built.ask(f"{built.url}.sums")).status_code == 404
    built.disk.with_name(f"{built.disk.name}.sums").write_text("sums")
    found = await built.ask(f"{built.url}.sums")
    assert (found.status_code, found.text) == (200, "sums")
    assert found.headers["x-ms-blob-type"] == "BlockBlob"
    assert (await built.ask(f"{built.url}.sums", of=STRANGER)).status_code == 403
    built.disk.unlink()
    assert (await built.ask(built.url)).status_code == 404
