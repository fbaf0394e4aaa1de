"""What nobody else is to see is in no error, event or operation; what clients write breaks no log."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.component.arm.abuse.conftest import BUILDER_VERSION, House
from tests.component.arm.abuse.test_scopes import TEMPLATE
from tests.scripted import Recorder
from vmwright.arm.access.roles import READER
from vmwright.events import as_json

# nothing here is the database's
pytestmark = pytest.mark.parametrize("database_settings", ["sqlite"], indirect=True)
HIDDEN = "s3cr3t"
ADDRESSES = (
    f"https://127.0.0.1:1/setup.sh?sig={HIDDEN}",
    f"https://user:{HIDDEN}@127.0.0.1:1/setup.sh",
    f"https://127.0.0.1:1/setup.sh#{HIDDEN}",
    f"file:///etc/shadow?{HIDDEN}",
    f"http://169.254.169.254/metadata/identity/oauth2/token?{HIDDEN}",
    f"http://[::ffff:169.254.169.254]/{'x' * 10}?{HIDDEN}",
    f"https://\x1b[31m.example/\r\nX: y?{HIDDEN}",
)


def with_step(**step: Any) -> dict[str, Any]:
    document = copy.deepcopy(TEMPLATE)
    document["properties"]["customize"] = [{"name": "one", **step}]  # type: ignore[index]
    return document


@pytest.mark.parametrize("address", ADDRESSES)
async def test_what_an_address_hides_is_told_to_nobody(
    house: House, recorder: Recorder, address: str
) -> None:
    path = f"{house.a}/providers/Microsoft.VirtualMachineImages/imageTemplates/web"
    document = with_step(type="File", sourceUri=address, destination="/tmp/x")
    answer = await house.owner.ask("PUT", path, document, version=BUILDER_VERSION)
    await house.assembled.background.idle()
    said = [*map(as_json, recorder.seen)]
    if answer.status_code == 201:
        operation = answer.headers["azure-asyncoperation"].removeprefix("https://localhost:8443")
        headers = {"Authorization": f"Bearer {house.owner.token}"}
        polled = (await house.http.get(operation, headers=headers)).json()
        assert polled["status"] == "Failed"
        kept = (await house.owner.ask("GET", path, version=BUILDER_VERSION)).json()
        said += [polled["error"]["message"], kept["properties"]["provisioningError"]["message"]]
    else:
        assert answer.status_code == 400
    assert HIDDEN not in "".join(said)
    assert not any("\x1b" in one or "\n" in one.rstrip("\n") for one in said)


async def test_no_answer_has_a_secret_of_the_service(house: House, settings: Any) -> None:
    reader = await house.with_role(READER, house.subscription)
    secrets = [
        (settings.home / "service" / "owner-secret").read_text().strip(),
        "BEGIN",
        "scrypt$",
        reader.token,
    ]
    for route in house.assembled.routes:
        if route.method == "GET" and "{" not in route.pattern.replace("{subscription}", ""):
            path = route.pattern.replace("{subscription}", house.subscription.rpartition("/")[2])
            answer = await reader.ask("GET", path)
            assert not any(secret in answer.text for secret in secrets), path


async def test_what_is_wrong_with_a_login_tells_nothing_of_who_there_is(house: House) -> None:
    form = {"grant_type": "client_credentials", "client_secret": "wrong"}
    texts = set()
    for client in ("owner", "99999999-9999-9999-9999-999999999999", "nobody"):
        answer = await house.http.post("/adfs/oauth2/token", data={**form, "client_id": client})
        assert answer.status_code == 401
        texts.add((answer.json()["error"], answer.json()["error_description"].partition(" Trace ID")[0]))
    assert len(texts) == 1
