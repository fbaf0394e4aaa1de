from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select, update

from tests.component.arm.image_templates.talking import GROUP, PROVIDER, TEMPLATE, Talk
from tests.queueing import ALL, worker
from vmwright.arm import ids
from vmwright.arm.providers.image_templates.deletion import DELETE, Deletion
from vmwright.arm.service import Service
from vmwright.distributors.distributor import RunOutput
from vmwright.errors import VmwrightError
from vmwright.events import Events
from vmwright.runs.queue import Claim, claim_next
from vmwright.runs.records import BuildRecords
from vmwright.runs.states import RunState
from vmwright.settings import Settings
from vmwright.state.database import Database
from vmwright.state.tables import BuildRow, LogRow, ResourceRow, RunOutputRow
from vmwright.workers.reaper import clear_up

ELSEWHERE = "another-host"


async def begun(talk: Talk, database: Database) -> Claim:
    """Return a build of the template that somebody has taken."""
    assert (await talk("POST", f"{TEMPLATE}/run")).status_code == 202
    held = claim_next(database, worker(database, ALL), ALL)
    assert held is not None
    return held


def leave(settings: Settings, database: Database, held: Claim) -> tuple[Path, Path]:
    """Do what a build does: write a VHD and a log, and record both; return where they are."""
    vhd = settings.home / "artifacts" / "vhds" / held.build_id / "disk.vhd"
    log = settings.home / "builds" / held.build_id / "customization.log"
    for file in (vhd, log):
        file.parent.mkdir(parents=True)
        file.write_text("left")
    records = BuildRecords(database, held)
    records.log(log.name, log)
    records.distributed(RunOutput(name="disk", kind="VHD", artifact_uri=vhd.as_uri()))
    return vhd, log


def rows(database: Database) -> tuple[int, int, int]:
    """Return how many logs, run outputs and things to be removed there are."""
    with database.session() as session:
        logs, outputs, left = (
            len(session.scalars(select(kind)).all()) for kind in (LogRow, RunOutputRow, ResourceRow)
        )
        return logs, outputs, left


async def test_default_vhds_and_logs_go_with_their_template(
    talk: Talk, database: Database, settings: Settings, tmp_path: Path
) -> None:
    await talk.put()
    held = await begun(talk, database)
    vhd, log = leave(settings, database, held)
    users = tmp_path / "mine" / "disk.vhd"
    users.parent.mkdir()
    users.write_text("mine")
    records = BuildRecords(database, held)
    records.distributed(RunOutput(name="theirs", kind="VHD", artifact_uri=users.as_uri()))
    image = f"{GROUP}/providers/Microsoft.Compute/images/web"
    records.distributed(RunOutput(name="image", kind="ManagedImage", artifact_id=image))
    assert (await talk("DELETE", TEMPLATE)).status_code == 405
    assert vhd.exists()
    records.end(RunState.SUCCEEDED, "")
    assert (await talk("DELETE", TEMPLATE)).status_code == 202
    assert not vhd.parent.exists()
    assert not log.exists()
    assert users.read_text() == "mine"
    assert rows(database) == (0, 1, 0)


async def test_what_is_on_another_host_goes_when_that_clears_up(
    talk: Talk, database: Database, settings: Settings, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    await talk.put()
    held = await begun(talk, database)
    vhd, log = leave(settings, database, held)
    BuildRecords(database, held).end(RunState.SUCCEEDED, "")
    with database.session() as session:
        session.execute(update(LogRow).values(host=ELSEWHERE))
    assert (await talk("DELETE", TEMPLATE)).status_code == 202
    assert vhd.exists()
    assert rows(database) == (0, 0, 2)
    await clear_up(database, events)
    assert log.exists()
    monkeypatch.setattr("vmwright.state.resources.host_id", lambda: ELSEWHERE)
    await clear_up(database, events)
    assert not vhd.parent.exists()
    assert not log.exists()
    assert rows(database) == (0, 0, 0)


async def test_a_removal_that_was_broken_off_is_done_again(
    talk: Talk, database: Database, service: Service, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await talk.put()
    held = await begun(talk, database)
    vhd, _ = leave(settings, database, held)
    BuildRecords(database, held).end(RunState.SUCCEEDED, "")
    operation = service.operations.begin(DELETE, ids.parse(TEMPLATE), location="westus")
    for where in ("vmwright.workers.reaper.clear", "vmwright.arm.providers.image_templates.staging.remove"):
        with monkeypatch.context() as patched:
            patched.setattr(where, broken)
            with pytest.raises(RuntimeError):
                await Deletion(service).carry_out(operation)
        assert vhd.exists() is where.endswith("clear")
    assert rows(database) == (0, 0, 0)
    await Deletion(service).carry_out(operation)
    assert service.store.find(ids.parse(TEMPLATE)) is None


def broken(*_: object) -> None:
    raise RuntimeError("the service ends here")


async def test_a_group_waits_until_the_builds_of_its_templates_have_ended(
    talk: Talk, database: Database, service: Service, settings: Settings
) -> None:
    await talk.put()
    held = await begun(talk, database)
    vhd, _ = leave(settings, database, held)
    removing = asyncio.create_task(Deletion(service).remove_all(ids.parse(GROUP)))
    while (await talk.get())["properties"]["lastRunStatus"]["runState"] != "Canceling":
        await asyncio.sleep(0)
    assert vhd.exists()
    BuildRecords(database, held).end(RunState.CANCELED, "")
    await removing
    assert service.store.find(ids.parse(TEMPLATE)) is None
    assert not vhd.exists()


async def test_a_group_stays_where_a_build_does_not_end(
    talk: Talk, database: Database, service: Service, settings: Settings
) -> None:
    await talk.put()
    vhd, log = leave(settings, database, await begun(talk, database))
    with pytest.raises(VmwrightError, match="did not end within 0 s of its cancel"):
        await Deletion(service, patience=0).remove_all(ids.parse(GROUP))
    assert service.store.find(ids.parse(TEMPLATE)) is not None
    assert vhd.exists()
    assert log.exists()


async def test_the_files_go_with_a_staging_group_that_is_deleted_by_itself(
    talk: Talk, database: Database, service: Service, settings: Settings
) -> None:
    await talk.put()
    await talk.put(path=f"{GROUP}/{PROVIDER}/imageTemplates/other")
    held = await begun(talk, database)
    vhd, log = leave(settings, database, held)
    group = ids.parse((await talk.get())["properties"]["exactStagingResourceGroup"])
    await Deletion(service).remove_all(group)
    assert vhd.exists()  # it is still being built
    with database.session() as session:
        session.execute(update(BuildRow).values(run_state=RunState.SUCCEEDED, ended_at=datetime.now(UTC)))
    await Deletion(service).remove_all(group)
    assert not vhd.exists()
    assert not log.exists()
    assert (await talk.get())["properties"]["provisioningState"] == "Succeeded"


async def test_a_staging_group_that_was_deleted_is_made_again(talk: Talk, service: Service) -> None:
    await talk.put()
    first = ids.parse((await talk.get())["properties"]["exactStagingResourceGroup"])
    service.store.remove(first)
    assert (await talk.put())["status"] == "Succeeded"
    second = ids.parse((await talk.get())["properties"]["exactStagingResourceGroup"])
    assert second != first
    assert service.store.find(second) is not None
