from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select, update

from tests.component.arm.asking import access_of, arm_of, asking
from tests.component.arm.image_templates.talking import SUBMITTED, TEMPLATE, Talk, template
from tests.scripted import Recorder
from vmwright.arm import ids
from vmwright.arm.background import Background
from vmwright.arm.providers import image_templates
from vmwright.arm.providers.image_templates import runs
from vmwright.arm.providers.image_templates.faults import ProvisioningError
from vmwright.arm.providers.image_templates.finding import Found
from vmwright.arm.providers.image_templates.following import Following
from vmwright.arm.providers.image_templates.triggers import MOST_FAILURES
from vmwright.arm.service import Service
from vmwright.errors import DownloadError
from vmwright.events import Notice
from vmwright.runs.states import RunState
from vmwright.state.database import Database
from vmwright.state.tables import BuildRow
from vmwright.template.model import Template

SOURCE_IMAGE = {"properties": {"kind": "SourceImage"}}
TRIGGER = f"{TEMPLATE}/triggers/newer"


@dataclass
class Vendor:
    """What offers sources: the newest version is what a test says."""

    version: str = "12.1.0"
    trouble: Exception | None = None
    asked: int = 0
    looked: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, template: Template, service: Service, /) -> Found:
        self.asked += 1
        self.looked.set()
        if self.trouble:
            raise self.trouble
        return Found(exact_version=self.version)


@pytest.fixture
def vendor() -> Vendor:
    return Vendor()


@pytest.fixture
def following(service: Service, vendor: Vendor) -> Following:
    return Following(service, find=vendor)


@pytest.fixture
async def talk(
    service: Service, background: Background, vendor: Vendor, following: Following
) -> AsyncIterator[Talk]:
    arm = arm_of(
        image_templates.routes(
            service, background, access_of(service), find=vendor, new_trigger=following.soon
        )
    )
    async with background.running(), asking(arm) as client:
        yield Talk(client, background)


@pytest.fixture
async def followed(talk: Talk, following: Following) -> Following:
    """What follows the source of a template that has a trigger, after the first look."""
    await talk.put()
    assert (await talk("PUT", TRIGGER, SOURCE_IMAGE)).status_code == 201
    await following.look()
    return following


def builds(database: Database) -> list[BuildRow]:
    with database.session() as session:
        return list(session.scalars(select(BuildRow).order_by(BuildRow.started_at)))


def end(database: Database, state: RunState) -> None:
    """End all builds that have not ended."""
    ended = {"run_state": state, "run_sub_state": None, "message": "no", "ended_at": datetime.now(UTC)}
    with database.session() as session:
        session.execute(update(BuildRow).where(BuildRow.ended_at.is_(None)).values(**ended))


def told(recorder: Recorder) -> str:
    return "\n".join(event.message for event in recorder.of(Notice))


async def status(talk: Talk) -> dict[str, str]:
    found: dict[str, str] = (await talk.get(TRIGGER))["properties"]["status"]
    return found


async def test_a_newer_version_of_the_source_starts_one_build(
    talk: Talk, followed: Following, vendor: Vendor, database: Database, recorder: Recorder
) -> None:
    await followed.look()
    assert builds(database) == []
    vendor.version = "12.10.0"
    await followed.look()
    (build,) = builds(database)
    assert build.template_id == TEMPLATE
    assert build.queued
    assert f"12.10.0: its trigger newer has started the build {build.id}" in told(recorder)
    end(database, RunState.SUCCEEDED)
    await followed.look()
    assert len(builds(database)) == 1
    assert "watch" not in (await talk.get(TRIGGER))


async def test_the_version_of_before_the_trigger_starts_nothing(
    talk: Talk, following: Following, vendor: Vendor, database: Database
) -> None:
    await talk.put()
    vendor.version = "12.2.0"  # the template was made with an older one
    await talk("PUT", TRIGGER, SOURCE_IMAGE)
    await following.look()
    await following.look()
    assert builds(database) == []


async def test_a_version_that_is_withdrawn_is_none_that_is_new(
    followed: Following, vendor: Vendor, database: Database
) -> None:
    for vendor.version in ("12.0.9", "12.1.0", "latest", ""):
        await followed.look()
    assert builds(database) == []


async def test_what_was_seen_stays_over_a_restart_and_another_put(
    talk: Talk, followed: Following, vendor: Vendor, service: Service, database: Database
) -> None:
    assert (await talk("PUT", TRIGGER, SOURCE_IMAGE)).status_code == 200
    vendor.version = "12.2.0"
    again = Following(service, find=vendor)
    await again.look(only_new=True)
    assert builds(database) == []
    await again.look()
    assert len(builds(database)) == 1


async def test_a_service_that_ends_meanwhile_starts_one_build(
    followed: Following,
    vendor: Vendor,
    service: Service,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    submit = runs.submit

    def ends_before(*_: Any) -> str:
        raise RuntimeError("the service ends here")

    def ends_behind(*given: Any) -> str:
        submit(*given)
        raise RuntimeError("the service ends here")

    for number, ending in ((2, ends_before), (3, ends_behind)):
        vendor.version = f"12.{number}.0"
        before = len(builds(database))
        with monkeypatch.context() as patched:
            patched.setattr(runs, "submit", ending)
            with pytest.raises(RuntimeError):
                await followed.look()
        again = Following(service, find=vendor)
        await again.look()
        end(database, RunState.SUCCEEDED)
        await again.look()
        assert len(builds(database)) == before + 1


async def test_a_template_that_is_being_built_is_built_again_afterwards(
    talk: Talk, followed: Following, vendor: Vendor, database: Database
) -> None:
    await talk("POST", f"{TEMPLATE}/run")
    vendor.version = "12.2.0"
    await followed.look()
    assert len(builds(database)) == 1
    end(database, RunState.SUCCEEDED)
    await followed.look()
    assert len(builds(database)) == 2


async def test_a_build_by_hand_with_the_newer_version_is_enough(
    talk: Talk, followed: Following, vendor: Vendor, database: Database
) -> None:
    await talk("POST", f"{TEMPLATE}/run")
    vendor.version = "12.2.0"
    await followed.look()
    end(database, RunState.SUCCEEDED)
    await talk("POST", f"{TEMPLATE}/run")
    end(database, RunState.SUCCEEDED)
    await followed.look()
    assert len(builds(database)) == 2


async def fail(talk: Talk, database: Database, state: RunState = RunState.FAILED) -> None:
    assert (await talk("POST", f"{TEMPLATE}/run")).status_code == 202
    end(database, state)


async def test_failures_in_a_row_deactivate_a_trigger_until_a_build_succeeds(
    talk: Talk, followed: Following, vendor: Vendor, database: Database, recorder: Recorder
) -> None:
    for number in range(MOST_FAILURES):
        assert (await status(talk))["code"] == "Healthy"
        vendor.version = f"12.2.{number}"
        await followed.look()
        end(database, RunState.FAILED)
        await fail(talk, database, RunState.CANCELED)  # says nothing about the template
    shown = await status(talk)
    assert shown["code"] == "Deactivated"
    assert f"the last {MOST_FAILURES} builds have failed" in shown["message"]
    assert (await talk.get(f"{TEMPLATE}/triggers"))["value"][0]["properties"]["status"] == shown
    before = len(builds(database))
    for number in range(2):
        vendor.version = f"12.3.{number}"
        await followed.look()
    assert len(builds(database)) == before
    assert told(recorder).count("is deactivated") == 1

    await fail(talk, database, RunState.SUCCEEDED)
    assert (await status(talk))["code"] == "Healthy"
    await followed.look()  # that build had the newest version
    assert len(builds(database)) == before + 1
    assert "is active again" in told(recorder)
    vendor.version = "12.4.0"
    await followed.look()
    assert len(builds(database)) == before + 2


@pytest.mark.parametrize(
    "trouble", [DownloadError("the vendor is away"), ProvisioningError("BadPIRSource", "the vendor is away")]
)
async def test_a_source_that_cannot_be_looked_at_is_told_once(
    talk: Talk, followed: Following, vendor: Vendor, recorder: Recorder, trouble: Exception
) -> None:
    vendor.trouble = trouble
    for _ in range(2):
        await followed.look()
    shown = await status(talk)
    assert shown["code"] == "Unhealthy"
    assert "the vendor is away" in shown["message"]
    assert told(recorder).count("the vendor is away") == 1
    vendor.trouble = None
    await followed.look()
    assert (await status(talk))["code"] == "Healthy"


async def test_a_template_that_follows_nothing_any_more_says_so(
    talk: Talk, followed: Following, vendor: Vendor, database: Database
) -> None:
    source = SUBMITTED["properties"]["source"]
    await talk.put(template(source={**source, "version": "12.1.0"}))
    vendor.version = "12.2.0"
    await followed.look()
    assert (await status(talk))["code"] == "Unhealthy"
    await talk.put(template(source={**source, "sku": "another"}))
    await followed.look()  # another source: it begins with what is there
    assert (await status(talk))["code"] == "Healthy"
    assert builds(database) == []
    vendor.version = "12.3.0"
    await followed.look()
    assert len(builds(database)) == 1


async def test_templates_with_one_source_ask_for_it_once(
    talk: Talk, followed: Following, vendor: Vendor, database: Database
) -> None:
    await talk.put(path=f"{TEMPLATE}-2")
    await talk("PUT", f"{TEMPLATE}-2/triggers/t", SOURCE_IMAGE)
    await followed.look()
    vendor.version, vendor.asked = "12.2.0", 0
    await followed.look()
    assert vendor.asked == 1
    assert len(builds(database)) == 2


async def test_services_of_one_database_look_one_after_the_other(
    followed: Following, vendor: Vendor, service: Service, database: Database
) -> None:
    vendor.version = "12.2.0"
    others = [Following(service, find=vendor) for _ in range(3)]
    await asyncio.gather(*(one.look() for one in (followed, *others)))
    assert len(builds(database)) == 1


async def test_a_running_service_looks_at_its_start_and_when_a_trigger_is_made(
    talk: Talk, following: Following, vendor: Vendor, service: Service, database: Database
) -> None:
    await talk.put()
    async with following.running():
        vendor.looked.clear()
        await talk("PUT", TRIGGER, SOURCE_IMAGE)
        await vendor.looked.wait()
        while not service.store.find(ids.parse(TRIGGER)).body.get("watch"):  # type: ignore[union-attr]
            await asyncio.sleep(0)
    vendor.version = "12.2.0"
    async with Following(service, find=vendor).running():
        while not builds(database):
            await asyncio.sleep(0)


async def test_trouble_does_not_end_the_looking(
    talk: Talk, following: Following, vendor: Vendor, recorder: Recorder
) -> None:
    await talk.put()
    vendor.trouble = ValueError("nobody foresaw this")
    await talk("PUT", TRIGGER, SOURCE_IMAGE)
    async with following.running():
        while "nobody foresaw this" not in told(recorder):
            await asyncio.sleep(0)
        vendor.trouble = None
        vendor.looked.clear()
        following.soon()
        await vendor.looked.wait()
