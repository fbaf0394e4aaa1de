"""That the replay sees what differs: it would match everything otherwise."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from tests.component.arm.replay.comparing import differences
from tests.component.arm.replay.exchanges import Exchange
from tests.component.arm.replay.variables import Substitutes

ONE, OTHER = "11111111-2222-3333-4444-555555555555", "99999999-8888-7777-6666-555555555555"
POLLED = "https://management.azure.com/subscriptions/s/providers/N/locations/westus/operations"
BODY = {
    "name": "web",
    "tags": {},
    "id": f"/x/{ONE}",
    "at": "2024-05-14T08:39:55.679639302Z",
    "sizes": [{"name": "a", "gib": 30, "isBig": True}],
}


def exchange(answered: Any, *, status: int = 200, **headers: str) -> Exchange:
    return Exchange(
        recording="r",
        number=1,
        method="GET",
        path="/subscriptions/s/resourceGroups/g",
        api_version="2021-04-01",
        query={},
        sent=None,
        status=status,
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        answered=answered,
    )


def found(recorded: Exchange, ours: Any, *, status: int = 200, **headers: str) -> list[str]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = httpx2.Response(status, json=ours, headers=named)
    return [str(one) for one in differences(recorded, answer)]


def changed(**given: Any) -> dict[str, Any]:
    return {**BODY, **given}


def test_ids_times_and_numbers_may_be_others() -> None:
    ours = changed(
        id=f"/x/{OTHER}", at="2026-01-02T03:04:05Z", sizes=[{"name": "a", "gib": 4, "isBig": True}]
    )
    assert found(exchange(BODY), ours) == []


@pytest.mark.parametrize(
    ("ours", "told"),
    [
        (changed(name="wed"), 'body.name: recorded "web", ours "wed"'),
        (changed(id="/x/y"), 'body.id: recorded "/x/<guid>", ours "/x/y"'),
        (changed(tags=None), "body.tags: recorded {}, ours null"),
        (changed(more=1), "body.more: recorded nothing, ours 1"),
        ({**BODY, "sizes": []}, "body.sizes[]: recorded 1 items, ours 0 items"),
        (
            changed(sizes=[{"name": "a", "gib": "30", "isBig": True}]),
            'body.sizes[].gib: recorded 30, ours "30"',
        ),
        (changed(sizes=[{"name": "a", "gib": 30}]), "body.sizes[].isBig: recorded true, ours nothing"),
        (
            changed(sizes=[{"name": "a", "gib": 30, "isBig": 1}]),
            "body.sizes[].isBig: recorded true, ours 1",
        ),
    ],
)
def test_another_value_or_shape_is_seen(ours: dict[str, Any], told: str) -> None:
    assert found(exchange(BODY), ours) == [told]


def test_tags_of_the_service_may_be_more() -> None:
    own = {"VMImageBuilderSource": "PlatformImage a::b::c::1"}
    assert found(exchange(BODY), changed(tags=own)) == []
    (missing,) = found(exchange(changed(tags=own)), BODY)
    assert missing.startswith("body.tags.VMImageBuilderSource")
    (more,) = found(exchange(BODY), changed(tags={"mine": "x"}))
    assert more.startswith("body.tags.mine")


def test_another_status_is_seen() -> None:
    assert found(exchange(BODY), BODY, status=201) == ["status: recorded 200, ours 201"]


def test_addresses_to_poll_are_of_one_kind_and_signed_or_not() -> None:
    recorded = exchange(None, azure_asyncoperation=f"{POLLED}/{ONE}?api-version=2022-07-01&t=1&c=2&s=3&h=4")
    ours = f"https://localhost:8443/subscriptions/s/providers/N/locations/westus/operations/{OTHER}"
    assert found(recorded, None, Azure_AsyncOperation=f"{ours}?api-version=2022-07-01") == []
    (missing,) = found(recorded, None)
    assert missing.startswith("header Azure-AsyncOperation")
    (elsewhere,) = found(
        recorded, None, Azure_AsyncOperation=f"{ours}?api-version=x".replace("westus", "here")
    )
    assert elsewhere.startswith("header Azure-AsyncOperation")


@pytest.mark.parametrize(
    ("recorded", "ours", "is_same"),
    [
        ("InProgress", "Succeeded", True),
        ("Succeeded", "InProgress", True),
        ("InProgress", "Failed", True),
        ("Failed", "Succeeded", False),
        ("Succeeded", "Failed", False),
    ],
)
def test_an_operation_may_be_further(recorded: str, ours: str, is_same: bool) -> None:  # noqa: FBT001
    def polled(status: str) -> dict[str, Any]:
        return {"name": ONE, "status": status, "startTime": BODY["at"]} | (
            {} if status == "InProgress" else {"endTime": BODY["at"]}
        )

    assert (found(exchange(polled(recorded)), polled(ours)) == []) is is_same


def test_a_list_that_the_recorder_has_cut_is_compared_as_far_as_it_goes() -> None:
    cut = exchange({"value": [{"name": "b", "x": 1}], "_note": "truncated to first 1 of 9"})
    assert found(cut, {"value": [{"name": "a"}, {"name": "b", "x": 2}]}) == []
    assert found(cut, {"value": [{"name": "a"}]}) == ["body.value[]: recorded 1 items, ours 0 items"]


def test_what_an_answer_has_generated_is_asked_for_later() -> None:
    substitutes = Substitutes()
    substitutes.learn(
        {"a": [f"/x/{ONE.upper()}"], "v": "/versions/0.1.2"}, {"a": [f"/x/{OTHER}"], "v": "/versions/1.0.0"}
    )
    assert substitutes.text(f"/y/{ONE}/versions/0.1.2") == f"/y/{OTHER}/versions/1.0.0"
    assert substitutes.body({"n": "/versions/0.1.2/z"}) == {"n": "/versions/1.0.0/z"}
