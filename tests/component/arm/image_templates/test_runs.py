from __future__ import annotations

import asyncio
import json
import uuid
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from sqlalchemy import select, update

from tests.component.arm.image_templates.talking import GROUP, PROVIDER, SUBMITTED, TEMPLATE, Talk, template
from tests.queueing import ALL, worker
from vmwright.distributors.distributor import RunOutput
from vmwright.runs.listing import find_run
from vmwright.runs.queue import claim_next
from vmwright.runs.records import BuildRecords
from vmwright.runs.request import BuildRequest
from vmwright.runs.states import RunState, RunSubState
from vmwright.runs.stored_request import StoredRequest, restored
from vmwright.state.database import Database
from vmwright.state.tables import BuildRow

OTHERS = f"{GROUP}-other/{PROVIDER}/imageTemplates/web"


@pytest.fixture
async def running(talk: Talk) -> httpx2.Response:
    """What the run of a template was answered with."""
    await talk.put()
    return await talk("POST", f"{TEMPLATE}/run")


def builds(database: Database) -> list[BuildRow]:
    with database.session() as session:
        return list(session.scalars(select(BuildRow).order_by(BuildRow.started_at)))


def change(database: Database, **columns: Any) -> None:
    with database.session() as session:
        session.execute(update(BuildRow).values(**columns))


def end(database: Database, state: RunState, message: str = "") -> None:
    now = datetime.now(UTC)
    change(database, run_state=state, run_sub_state=None, message=message, ended_at=now)


async def status(talk: Talk, *, version: str = "2023-07-01") -> dict[str, Any]:
    found: dict[str, Any] = (await talk.get(version=version))["properties"]["lastRunStatus"]
    return found


async def test_a_run_is_a_build_in_the_queue(
    talk: Talk, running: httpx2.Response, database: Database
) -> None:
    assert running.status_code == 202
    assert running.content == b""
    assert running.headers["Location"] == running.headers["Azure-AsyncOperation"]
    assert running.headers["x-ms-request-id"] in running.headers["Location"]
    assert (await talk.ended(running))["status"] == "InProgress"
    shown = await status(talk)
    assert shown["endTime"] == "0001-01-01T00:00:00Z"
    assert (shown["runState"], shown["runSubState"], shown["message"]) == ("Running", "Queued", "")
    (build,) = builds(database)
    assert build.queued
    assert build.template_id == TEMPLATE
    assert build.key == TEMPLATE.lower()
    assert find_run(database, "web").id == build.id
    request = restored(StoredRequest.model_validate(build.request), build.template)
    assert isinstance(request, BuildRequest)
    assert request.template_id == TEMPLATE
    assert not request.makes_galleries


async def test_a_run_ends_as_its_build_does(talk: Talk, running: httpx2.Response, database: Database) -> None:
    end(database, RunState.SUCCEEDED)
    assert (await talk.ended(running))["status"] == "Succeeded"
    shown = await status(talk)
    assert shown["runState"] == "Succeeded"
    assert "runSubState" not in shown
    assert shown["endTime"] > shown["startTime"]
    assert (await talk.get())["properties"]["provisioningState"] == "Succeeded"
    assert (await talk("POST", f"{TEMPLATE}/run")).status_code == 202


@pytest.mark.parametrize(
    ("state", "message", "ended", "code"),
    [
        (RunState.FAILED, "During the image build a failure has occurred. It", "Failed", "PackerBuildFailed"),
        (RunState.FAILED, "The disk is full", "Failed", "InternalOperationError"),
        (RunState.PARTIALLY_SUCCEEDED, "Failed in distributing 1 images", "Failed", "InternalOperationError"),
        (RunState.CANCELED, "The build was cancelled", "Canceled", "Canceled"),
    ],
)
async def test_a_build_that_did_not_succeed_says_why(
    talk: Talk,
    running: httpx2.Response,
    database: Database,
    state: RunState,
    message: str,
    ended: str,
    code: str,
) -> None:
    end(database, state, message)
    polled = await talk.ended(running)
    assert polled["status"] == ended
    assert polled["error"] == {"code": code, "message": message}
    assert (await status(talk))["message"] == message


async def test_one_build_of_a_template_at_a_time(
    talk: Talk, running: httpx2.Response, database: Database
) -> None:
    refused = await asyncio.gather(*(talk("POST", f"{TEMPLATE}/Run") for _ in range(3)))
    for answer in refused:
        assert answer.status_code == 405
        assert answer.json()["error"]["message"] == (
            "Operation 'Microsoft.VirtualMachineImages/imageTemplates/run/action' is not allowed in "
            "provisioningState: 'provisioned', runState: 'running'"
        )
    assert (await talk("DELETE", TEMPLATE)).status_code == 405
    assert len(builds(database)) == 1


async def test_of_many_who_run_a_template_at_once_one_does(talk: Talk, database: Database) -> None:
    await talk.put()
    answers = await asyncio.gather(*(talk("POST", f"{TEMPLATE}/run") for _ in range(5)))
    assert sorted(answer.status_code for answer in answers) == [202, 405, 405, 405, 405]
    assert len(builds(database)) == 1


async def test_templates_of_one_name_in_two_groups_are_two(talk: Talk, database: Database) -> None:
    for path in (TEMPLATE, OTHERS):
        await talk.put(path=path)
        assert (await talk("POST", f"{path}/run")).status_code == 202
    assert {build.key for build in builds(database)} == {TEMPLATE.lower(), OTHERS.lower()}
    executor = worker(database, ALL)
    assert claim_next(database, executor, ALL)
    assert claim_next(database, executor, ALL)
    assert (await talk("POST", f"{OTHERS}/cancel")).status_code == 204
    assert (await status(talk))["runState"] == "Running"
    assert (await talk.get(OTHERS))["properties"]["lastRunStatus"]["runState"] == "Canceling"


async def test_a_build_that_waits_is_cancelled_at_once(
    talk: Talk, running: httpx2.Response, database: Database
) -> None:
    answer = await talk("POST", f"{TEMPLATE}/cancel")
    assert answer.status_code == 204
    assert not {"Location", "Azure-AsyncOperation"} & answer.headers.keys()
    assert (await talk.ended(running))["status"] == "Canceled"
    assert (await status(talk))["runState"] == "Canceled"
    again = await talk("POST", f"{TEMPLATE}/Cancel")
    assert again.status_code == 405
    assert "cancel/action' is not allowed" in again.json()["error"]["message"]
    assert (await talk("DELETE", TEMPLATE)).status_code == 202


async def test_a_build_that_runs_is_canceling_until_it_has_ended(
    talk: Talk, running: httpx2.Response, database: Database
) -> None:
    claim_next(database, worker(database, ALL), ALL)
    assert (await talk("POST", f"{TEMPLATE}/cancel")).status_code == 204
    shown = await status(talk)
    assert shown["runState"] == "Canceling"
    assert shown["message"] == "Canceling image build"
    assert "runSubState" not in shown
    again = await talk("POST", f"{TEMPLATE}/cancel")
    assert again.json()["error"]["message"].endswith("runState: 'canceling'")


async def test_nothing_runs_that_could_be_cancelled(talk: Talk) -> None:
    await talk.put()
    answer = await talk("POST", f"{TEMPLATE}/cancel")
    assert answer.status_code == 405
    assert answer.json()["error"]["message"].endswith("provisioningState: 'provisioned'")


async def test_older_api_versions_have_the_states_that_they_know(
    talk: Talk, running: httpx2.Response, database: Database
) -> None:
    change(database, run_sub_state=RunSubState.VALIDATING)
    assert (await status(talk, version="2022-02-14"))["runSubState"] == "Validating"
    assert (await status(talk, version="2021-10-01"))["runSubState"] == "Building"
    assert (await status(talk, version="2018-02-01-preview"))["runState"] == "running"
    end(database, RunState.CANCELED)
    assert (await status(talk, version="2019-05-01-preview"))["runState"] == "Failed"


async def test_what_is_not_built_yet_is_taken_and_fails_when_run(talk: Talk, database: Database) -> None:
    windows = {
        "type": "PlatformImage",
        "publisher": "MicrosoftWindowsServer",
        "offer": "WindowsServer",
        "sku": "2019-Datacenter",
        "version": "latest",
    }
    steps = [{"type": "PowerShell", "name": "hello", "inline": ["hello"]}, {"type": "WindowsUpdate"}]
    assert (await talk.put(template(source=windows, customize=steps)))["status"] == "Succeeded"
    answer = await talk("POST", f"{TEMPLATE}/run")
    assert answer.status_code == 202
    ended = await talk.ended(answer)
    assert ended["status"] == "Failed"
    assert "a Windows guest is lacking" in ended["error"]["message"]
    assert (await status(talk))["message"] == ended["error"]["message"]
    (build,) = builds(database)
    assert not build.queued
    assert build.ended_at


async def test_a_template_whose_identity_was_taken_away_is_built(talk: Talk, database: Database) -> None:
    await talk.put()
    assert (await talk("PATCH", TEMPLATE, {"identity": {"type": "None"}})).status_code == 202
    assert (await talk("POST", f"{TEMPLATE}/run")).status_code == 202
    (build,) = builds(database)
    kept = StoredRequest.model_validate(build.request)
    assert restored(kept, build.template).template.identities == ()


async def test_auto_run_builds_once_the_template_is_made(talk: Talk, database: Database) -> None:
    await talk.put(template(autoRun={"state": "Enabled"}), version="2024-02-01")
    assert (await status(talk))["runState"] == "Running"
    assert len(builds(database)) == 1


async def test_a_template_that_was_made_again_has_no_builds_of_the_earlier_one(
    talk: Talk, running: httpx2.Response, database: Database
) -> None:
    end(database, RunState.SUCCEEDED)
    assert (await talk("DELETE", TEMPLATE)).status_code == 202
    await talk.put()
    assert "lastRunStatus" not in (await talk.get())["properties"]
    assert (await talk.get(f"{TEMPLATE}/runOutputs"))["value"] == []


async def test_lists_show_the_newest_build_of_each_template(
    talk: Talk, running: httpx2.Response, database: Database
) -> None:
    await talk.put(path=f"{TEMPLATE}-2")
    listed = (await talk.get(f"{GROUP}/{PROVIDER}/imageTemplates"))["value"]
    assert [one["properties"].get("lastRunStatus", {}).get("runState") for one in listed] == ["Running", None]


async def test_run_outputs_are_those_of_the_newest_build_that_made_them(
    talk: Talk, running: httpx2.Response, database: Database
) -> None:
    missing = await talk("GET", f"{TEMPLATE}/runOutputs/disk")
    assert missing.status_code == 404
    assert missing.json()["error"]["code"] == "ResourceNotFound"
    held = claim_next(database, worker(database, ALL), ALL)
    assert held is not None
    records = BuildRecords(database, held)
    image = f"{GROUP}/providers/Microsoft.Compute/images/web"
    records.distributed(RunOutput(name="disk", kind="VHD", artifact_uri="file:///disk.vhd"))
    records.distributed(RunOutput(name="image", kind="ManagedImage", artifact_id=image))
    records.distributed(RunOutput(name="lost", kind="ManagedImage", error="it failed"))
    assert [one["name"] for one in (await talk.get(f"{TEMPLATE}/runOutputs"))["value"]] == ["disk", "image"]
    assert await talk.get(f"{TEMPLATE}/runOutputs/IMAGE") == {
        "properties": {"artifactId": image, "provisioningState": "Succeeded"},
        "id": f"{TEMPLATE}/runOutputs/image".replace("resourceGroups", "resourcegroups"),
        "name": "image",
        "type": "Microsoft.VirtualMachineImages/imageTemplates/runOutputs",
    }
    records.end(RunState.PARTIALLY_SUCCEEDED, "")
    assert (await talk("POST", f"{TEMPLATE}/run")).status_code == 202
    assert (await talk("GET", f"{TEMPLATE}/runOutputs/disk")).status_code == 200


async def test_a_template_is_changed_while_it_is_built(
    talk: Talk, running: httpx2.Response, database: Database
) -> None:
    assert (await talk.put(template(customize=[])))["status"] == "Succeeded"
    (build,) = builds(database)
    assert json.dumps(SUBMITTED["properties"]["customize"][0]["scriptUri"]) in json.dumps(build.request)


async def test_a_build_knows_the_request_that_asked_for_it(talk: Talk, database: Database) -> None:
    correlation = str(uuid.uuid4())
    talk.client.headers["x-ms-correlation-request-id"] = correlation
    await talk.put()
    await talk("POST", f"{TEMPLATE}/run")
    assert [build.correlation_id for build in builds(database)] == [correlation]


async def test_a_build_that_runs_by_itself_knows_the_request_that_wrote_its_template(
    talk: Talk, database: Database
) -> None:
    correlation = str(uuid.uuid4())
    talk.client.headers["x-ms-correlation-request-id"] = correlation
    ended = await talk.put(template(autoRun={"state": "Enabled"}), version="2024-02-01")
    assert ended["status"] == "Succeeded", ended
    assert [build.correlation_id for build in builds(database)] == [correlation]
