from __future__ import annotations

import asyncio
import re

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.component.arm.identity.conftest import BASE, SCOPE, TENANT, Client
from vmwright.arm.identity.logins import MOST_FAILURES

AZ = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


async def test_a_service_principal_gets_a_token_and_calls_with_it(client: Client) -> None:
    answer = await client.post("/adfs/oauth2/token", **client.client_credentials())
    given = answer.json()
    assert (given["token_type"], given["expires_in"]) == ("Bearer", 3600)
    assert "scope" not in given
    assert answer.headers["cache-control"].startswith("no-store")
    caller = await client.call(given["access_token"])
    owner = client.owner.account
    assert caller.json() == {"id": owner.id, "name": "owner", "app": owner.app_id, "roles": []}


async def test_anybody_can_verify_a_token_by_what_the_issuer_publishes(client: Client) -> None:
    configuration = (await client.http.get(f"/{TENANT}/v2.0/.well-known/openid-configuration")).json()
    assert configuration["issuer"] == f"{BASE}/{TENANT}/v2.0"
    published = (await client.http.get(configuration["jwks_uri"])).json()
    assert all("d" not in key for key in published["keys"])
    token = jwt.decode(await client.token(), KeySet.import_key_set(published), algorithms=["RS256"])
    assert token.claims["iss"] == configuration["issuer"]
    assert token.claims["aud"] == f"{BASE}/"
    assert (token.claims["tid"], token.claims["oid"]) == (TENANT, client.owner.account.id)


@pytest.mark.parametrize("authority", ["adfs", TENANT, "common", "contoso.example"])
async def test_the_issuer_is_found_in_either_style(client: Client, authority: str) -> None:
    for version in ("", "v2.0/"):
        found = await client.http.get(f"/{authority}/{version}.well-known/openid-configuration")
        for name in ("token_endpoint", "device_authorization_endpoint"):
            answer = await client.post(found.json()[name])
            assert answer.json()["error"] == "invalid_request"
        assert (await client.post(found.json()["token_endpoint"], **client.client_credentials())).is_success


async def test_az_learns_the_tenants_id_from_its_name(client: Client) -> None:
    found = await client.http.get("/adfs/contoso.example/v2.0/.well-known/openid-configuration")
    assert found.json()["issuer"].split("/")[3] == TENANT


async def test_a_tenant_that_is_not_here_is_named(client: Client) -> None:
    other = "33333333-3333-3333-3333-333333333333"
    answer = await client.post(f"/{other}/oauth2/v2.0/token", **client.client_credentials())
    assert (answer.status_code, answer.json()["error_codes"]) == (400, [90002])
    assert other in answer.json()["error_description"]


async def test_a_wrong_secret_is_refused_as_clients_know_it(client: Client) -> None:
    form = {**client.client_credentials(), "client_secret": "wrong"}
    answer = await client.post("/adfs/oauth2/token", **form)
    refused = answer.json()
    assert (answer.status_code, refused["error"], refused["error_codes"]) == (
        401,
        "invalid_client",
        [7000215],
    )
    assert refused["error_description"].startswith("AADSTS7000215: ")
    form["client_id"] = "44444444-4444-4444-4444-444444444444"
    unknown = (await client.post("/adfs/oauth2/token", **form)).json()
    assert unknown["error_codes"] == refused["error_codes"]


async def test_a_secret_that_was_tried_too_often_cannot_be_tried_by_any_name(client: Client) -> None:
    wrong = {**client.client_credentials(), "client_secret": "wrong"}
    for _ in range(MOST_FAILURES):
        assert (await client.post("/adfs/oauth2/token", **wrong)).status_code == 401
    right = await client.post("/adfs/oauth2/token", **client.client_credentials())
    assert right.json()["error_codes"] == [50053]
    by_name = {"grant_type": "password", "client_id": AZ, "username": "Owner", "password": "x"}
    assert (await client.post("/adfs/oauth2/token", **by_name)).json()["error_codes"] == [50053]


async def test_programs_that_log_in_all_at_once_are_all_let_in(client: Client) -> None:
    form = client.client_credentials()
    logins = (client.post("/adfs/oauth2/token", **form) for _ in range(3 * MOST_FAILURES))
    assert {answer.status_code for answer in await asyncio.gather(*logins)} == {200}


async def test_a_secret_that_was_good_is_so_only_until_there_is_another(client: Client) -> None:
    await client.token()
    made = client.identity.principals.renew(client.owner.account.id)
    assert made is not None
    old = await client.post("/adfs/oauth2/token", **client.client_credentials())
    assert old.status_code == 401
    new = {**client.client_credentials(), "client_secret": made.secret}
    assert (await client.post("/adfs/oauth2/token", **new)).status_code == 200


async def test_tries_at_the_same_time_are_no_more_than_tries_one_by_one(client: Client) -> None:
    wrong = {**client.client_credentials(), "client_secret": "wrong"}
    tries = (client.post("/adfs/oauth2/token", **wrong) for _ in range(3 * MOST_FAILURES))
    numbers = [answer.json()["error_codes"] for answer in await asyncio.gather(*tries)]
    assert numbers.count([7000215]) == MOST_FAILURES
    assert numbers.count([50053]) == 2 * MOST_FAILURES


@pytest.mark.parametrize(
    ("form", "number"),
    [
        ({}, 900144),
        ({"grant_type": "client_credentials"}, 900144),
        ({"grant_type": "authorization_code"}, 70003),
        ({"grant_type": "client_credentials", "client_id": "a", "resource": "https://a.example"}, 500011),
        ({"grant_type": "refresh_token", "client_id": "a", "refresh_token": "a.b.c"}, 70008),
        ({"grant_type": "password", "client_id": "a", "username": "\0", "password": "\ud7ff"}, 50126),
        ({"grant_type": "password", "client_id": "a", "username": "x" * 5000, "password": "x"}, 50126),
        ({"grant_type": DEVICE_GRANT, "client_id": "a", "device_code": "x"}, 70020),
        ({"grant_type": "x" * 70_000}, 90014),
        ({str(number): "x" for number in range(60)}, 90014),
    ],
)  # fmt: skip
async def test_what_makes_no_sense_is_refused(client: Client, form: dict[str, str], number: int) -> None:
    answer = await client.post("/adfs/oauth2/token", **form)
    assert (answer.status_code, answer.json()["error_codes"]) == (400, [number])


async def test_a_field_that_stands_twice_is_refused(client: Client) -> None:
    answer = await client.http.post("/adfs/oauth2/token", content=b"client_id=a&client_id=b")
    assert answer.json()["error_codes"] == [90014]


async def test_a_user_stays_logged_in_without_the_password(client: Client, user: str) -> None:
    form = {"grant_type": "password", "client_id": AZ, "username": user.upper(), "password": "pass word"}
    given = (await client.post("/adfs/oauth2/token", scope=f"openid offline_access {SCOPE}", **form)).json()
    about = jwt.decode(given["id_token"], await _jwks(client), algorithms=["RS256"])
    assert (about.claims["upn"], about.claims["tid"], about.claims["aud"]) == (user, TENANT, AZ)
    form = {"grant_type": "refresh_token", "client_id": AZ, "refresh_token": given["refresh_token"]}
    again = (await client.post("/adfs/oauth2/token", **form)).json()
    assert (await client.call(again["access_token"])).json()["name"] == user
    assert (await client.post("/adfs/oauth2/token", **{**form, "client_id": "other"})).status_code == 400


async def test_a_new_secret_ends_the_logins_with_the_old_one(client: Client, user: str) -> None:
    form = {"grant_type": "password", "client_id": AZ, "username": user, "password": "pass word"}
    given = (await client.post("/adfs/oauth2/token", **form)).json()
    account = client.identity.principals.find_login(user)
    assert account is not None
    assert client.identity.principals.renew(account.id) is not None
    refreshing = {"grant_type": "refresh_token", "client_id": AZ, "refresh_token": given["refresh_token"]}
    assert (await client.post("/adfs/oauth2/token", **refreshing)).json()["error_codes"] == [70008]
    assert (await client.post("/adfs/oauth2/token", **form)).json()["error_codes"] == [50126]


async def test_a_removed_principals_tokens_end_with_it(client: Client) -> None:
    token = await client.token()
    assert client.identity.principals.remove(client.owner.account.id)
    assert (await client.call(token)).status_code == 401


async def test_a_device_is_confirmed_on_the_page(client: Client, user: str) -> None:
    begun = (await client.post("/adfs/oauth2/devicecode", client_id=AZ, scope=SCOPE)).json()
    assert begun["user_code"] in begun["message"]
    polling = {"grant_type": DEVICE_GRANT, "client_id": AZ, "device_code": begun["device_code"]}
    assert (await client.post("/adfs/oauth2/token", **polling)).json()["error"] == "authorization_pending"
    page = await client.http.get(begun["verification_uri_complete"])
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert f'value="{begun["user_code"]}"' in page.text
    filled = {"user_code": begun["user_code"], "login": user, "secret": "wrong"}
    refused = await client.post(begun["verification_uri"], **filled)
    assert refused.status_code == 403
    assert "wrong" not in refused.text
    done = await client.post(begun["verification_uri"], **{**filled, "secret": "pass word"})
    assert "You are logged in on the device" in done.text
    given = (await client.post("/adfs/oauth2/token", **polling)).json()
    assert (await client.call(given["access_token"])).json()["name"] == user


async def test_the_page_shows_what_was_typed_as_text(client: Client) -> None:
    typed = "\"><script>alert('1')</script>"
    page = await client.http.get("/adfs/oauth2/deviceauth", params={"user_code": typed})
    assert "<script>" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    answer = await client.post("/adfs/oauth2/deviceauth", user_code=typed, login=typed, secret="x")
    assert answer.status_code == 400
    assert "No device waits" in answer.text
    assert not re.search("<script|onerror", answer.text)


async def test_the_page_leaves_other_ports_of_localhost_to_http(client: Client) -> None:
    page = await client.http.get("/adfs/oauth2/deviceauth")
    assert "strict-transport-security" not in page.headers


async def test_az_learns_what_the_cloud_is(client: Client) -> None:
    cloud = (await client.http.get("/metadata/endpoints?api-version=2022-09-01")).json()
    assert cloud["authentication"]["loginEndpoint"] == f"{BASE}/adfs"
    assert cloud["authentication"]["audiences"] == [f"{BASE}/"]
    assert cloud["resourceManager"] == BASE
    assert cloud["suffixes"] == {}
    assert cloud["microsoftGraphResourceId"] == f"{BASE}/graph/"
    # as az asks where the endpoint was given with a slash
    assert (await client.http.get(f"{BASE}//metadata/endpoints?api-version=2023-11-01")).json() == cloud
    for version in ("2018-05-01", "2019-05-01", "2020-06-01"):
        assert (await client.http.get(f"/metadata/endpoints?api-version={version}")).json() == [cloud]
    old = (await client.http.get("/metadata/endpoints?api-version=2015-01-01")).json()
    assert old["authentication"] == {"loginEndpoint": f"{BASE}/adfs", "audiences": [f"{BASE}/"]}


async def _jwks(client: Client) -> KeySet:
    return KeySet.import_key_set((await client.http.get("/adfs/discovery/keys")).json())
