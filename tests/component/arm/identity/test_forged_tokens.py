from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.component.arm.identity.conftest import BASE, Client
from vmwright.arm.identity.identity import signing_keys
from vmwright.settings import Settings

Forge = Callable[[dict[str, Any], dict[str, Any], RSAKey], str]


def part(document: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")


def unsigned(header: dict[str, Any], claims: dict[str, Any], key: RSAKey) -> str:
    return f"{part({**header, 'alg': 'none'})}.{part(claims)}."


def signed_with_the_public_key_as_secret(header: dict[str, Any], claims: dict[str, Any], key: RSAKey) -> str:
    content = f"{part({**header, 'alg': 'HS256'})}.{part(claims)}"
    signature = hmac.digest(key.as_pem(private=False), content.encode(), "sha256")
    return f"{content}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def signed_with_another_key(header: dict[str, Any], claims: dict[str, Any], key: RSAKey) -> str:
    return jwt.encode(header, claims, RSAKey.generate_key(2048), algorithms=["RS256"])


def with_its_own_key_in_the_header(header: dict[str, Any], claims: dict[str, Any], key: RSAKey) -> str:
    own = RSAKey.generate_key(2048)
    return jwt.encode({**header, "jwk": {"kty": "RSA"}}, claims, own, algorithms=["RS256"])


def with_another_algorithm(header: dict[str, Any], claims: dict[str, Any], key: RSAKey) -> str:
    bare = RSAKey.import_key(key.as_pem(private=True))
    return jwt.encode({**header, "alg": "RS512"}, claims, bare, algorithms=["RS512"])


def with_claims_exchanged(header: dict[str, Any], claims: dict[str, Any], key: RSAKey) -> str:
    token = jwt.encode(header, claims, key, algorithms=["RS256"])
    first, _, last = token.split(".")
    return f"{first}.{part({**claims, 'name': 'else'})}.{last}"


def without_key_id(header: dict[str, Any], claims: dict[str, Any], key: RSAKey) -> str:
    return jwt.encode({"alg": "RS256"}, claims, key, algorithms=["RS256"])


def with_a_path_as_key_id(header: dict[str, Any], claims: dict[str, Any], key: RSAKey) -> str:
    return jwt.encode(
        {"alg": "RS256", "kid": f"../signing-keys/{key.kid}"}, claims, key, algorithms=["RS256"]
    )


@pytest.mark.parametrize(
    "forge",
    [
        unsigned,
        signed_with_the_public_key_as_secret,
        signed_with_another_key,
        with_its_own_key_in_the_header,
        with_another_algorithm,
        with_claims_exchanged,
        without_key_id,
        with_a_path_as_key_id,
    ],
)
# SQLite alone: nothing here is the database's
@pytest.mark.parametrize("database_settings", ["sqlite"], indirect=True)
async def test_a_forged_token_is_refused(client: Client, settings: Settings, forge: Forge) -> None:
    genuine = await client.token()
    key = signing_keys(settings).signing()
    found = jwt.decode(genuine, key, algorithms=["RS256"])
    answer = await client.call(forge(dict(found.header), dict(found.claims), key))
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "InvalidAuthenticationToken")


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"exp": int(time.time()) - 1}, "ExpiredAuthenticationToken"),
        ({"exp": -(10**30)}, "ExpiredAuthenticationToken"),
        ({"exp": None}, "InvalidAuthenticationToken"),
        ({"exp": "tomorrow"}, "InvalidAuthenticationToken"),
        ({"nbf": int(time.time()) + 3600}, "InvalidAuthenticationToken"),
        ({"iss": "https://sts.example.org/"}, "InvalidAuthenticationToken"),
        ({"sub": "55555555-5555-5555-5555-555555555555"}, "InvalidAuthenticationToken"),
        ({"aud": "https://vault.azure.net/"}, "InvalidAuthenticationTokenAudience"),
        ({"aud": [f"{BASE}/", "https://vault.azure.net/"]}, "InvalidAuthenticationTokenAudience"),
        ({"appid": None}, "InvalidAuthenticationToken"),
    ],
)
@pytest.mark.parametrize("database_settings", ["sqlite"], indirect=True)
async def test_a_token_counts_only_with_each_of_its_claims(
    client: Client, settings: Settings, changed: dict[str, Any], code: str
) -> None:
    key = signing_keys(settings).signing()
    found = jwt.decode(await client.token(), key, algorithms=["RS256"])
    claims = {name: value for name, value in {**found.claims, **changed}.items() if value is not None}
    answer = await client.call(jwt.encode(dict(found.header), claims, key, algorithms=["RS256"]))
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, code)


@pytest.mark.parametrize(
    "odd",
    [
        {"crit": 1},
        {"crit": ["exp"]},
        {"b64": False, "crit": ["b64"]},
        {"alg": ["RS256"]},
        {"kid": {}},
        {"alg": 1},
    ],
)
@pytest.mark.parametrize("database_settings", ["sqlite"], indirect=True)
async def test_a_header_that_makes_no_sense_is_refused(
    client: Client, settings: Settings, odd: dict[str, Any]
) -> None:
    header = {"alg": "RS256", "kid": signing_keys(settings).signing().kid, **odd}
    for forged in (f"{part(header)}.{part({})}.AAAA", "W10.e30.AAAA", "bnVsbA.e30.AAAA", "IjAi.e30.AAAA"):
        answer = await client.call(forged)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "InvalidAuthenticationToken")


@pytest.mark.parametrize("database_settings", ["sqlite"], indirect=True)
async def test_tokens_for_something_else_are_no_tokens_for_the_service(client: Client) -> None:
    form = {"grant_type": "password", "username": "owner", "password": client.owner.secret}
    given = (await client.post("/adfs/oauth2/token", client_id=f"{BASE}/", **form)).json()
    assert (await client.call(given["access_token"])).status_code == 200
    assert (await client.call(given["id_token"])).status_code == 401
    assert (await client.call(given["refresh_token"])).status_code == 401


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "AuthenticationFailed"),
        ("", "AuthenticationFailed"),
        ("Basic b3duZXI6eA==", "AuthenticationFailedInvalidHeader"),
        ("token", "AuthenticationFailedInvalidHeader"),
        ("Bearer", "InvalidAuthenticationToken"),
        ("Bearer a.b.c", "InvalidAuthenticationToken"),
        ("Bearer .." + "." * 2000, "InvalidAuthenticationToken"),
        ("Bearer " + "A" * 200_000, "InvalidAuthenticationToken"),
        ("Bearer \xe9.\xe9.\xe9", "AuthenticationFailedInvalidHeader"),
    ],
)
@pytest.mark.parametrize("database_settings", ["sqlite"], indirect=True)
async def test_who_brings_no_token_is_told_where_to_have_one(
    client: Client, header: str | None, code: str
) -> None:
    headers = {} if header is None else {b"Authorization": header.encode("latin-1")}
    answer = await client.http.get("/subscriptions/s", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, code)
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith(f'Bearer authorization_uri="{BASE}/adfs", error="invalid_token", ')
    assert answer.headers["x-ms-failure-cause"] == "gateway"
