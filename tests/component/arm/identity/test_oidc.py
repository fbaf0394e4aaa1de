from __future__ import annotations

import time
import uuid
from typing import Any

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from tests.component.arm.identity.conftest import BASE, client_of
from tests.scripted import Recorder
from vmwright.arm.http.errors import ArmError
from vmwright.arm.identity.identity import identity_of
from vmwright.arm.identity.issuer_keys import AGAIN_SECONDS, FRESH_SECONDS, USABLE_SECONDS, IssuerKeys
from vmwright.arm.identity.oidc import OidcTokens
from vmwright.arm.identity.tokens import TokenError
from vmwright.events import Events, Notice
from vmwright.settings import OidcSettings, ServiceSettings, Settings
from vmwright.state.database import Database

ISSUER = "https://login.example.org/tenant/v2.0"
SETTINGS = OidcSettings(
    issuer=ISSUER, audience="api://vmwright", roles={"image-admins": "Contributor", "auditors": "Reader"}
)
OBJECT = "66666666-6666-6666-6666-666666666666"
FIRST, SECOND = (RSAKey.generate_key(2048, parameters={"kid": kid, "use": "sig"}) for kid in ("one", "two"))


class Issuer:
    """An issuer that publishes what it has, and counts how often it is asked."""

    def __init__(self, *keys: RSAKey | ECKey) -> None:
        self.keys = list(keys)
        self.name = ISSUER
        self.is_down = False
        self.asked: list[str] = []
        self.now = 0.0

    async def fetch(self, url: str) -> Any:
        self.asked.append(url)
        if self.is_down:
            raise httpx2.ConnectError("Connection refused")
        if url == f"{ISSUER}/.well-known/openid-configuration":
            return {"issuer": self.name, "jwks_uri": "https://login.example.org/keys"}
        assert url == "https://login.example.org/keys"
        symmetric = {"kty": "oct", "kid": "shared", "k": "c2hhcmVkIHNlY3JldCBvZiBib3RoIHNpZGVz"}
        return {
            "keys": [
                *(key.as_dict(private=False) for key in self.keys),
                symmetric,
                {"kty": "odd", "kid": "x"},
            ]
        }

    def tokens(self, events: Events) -> OidcTokens:
        keys = IssuerKeys(ISSUER, events, fetch=self.fetch, clock=lambda: self.now)
        return OidcTokens(SETTINGS, keys)


@pytest.fixture
def issuer() -> Issuer:
    return Issuer(FIRST)


@pytest.fixture
def tokens(issuer: Issuer, events: Events) -> OidcTokens:
    return issuer.tokens(events)


def token(key: RSAKey | ECKey = FIRST, algorithm: str = "RS256", **changed: object) -> str:
    now = int(time.time())
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "aud": "api://vmwright",
        "sub": "pairwise",
        "oid": OBJECT,
        "preferred_username": "ada@example.org",
        "iat": now,
        "nbf": now,
        "exp": now + 600,
        **changed,
    }
    header = {"alg": algorithm, "kid": key.kid}
    given = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(header, given, key, algorithms=[algorithm])


async def test_claims_say_who_calls_and_which_roles_they_have(tokens: OidcTokens) -> None:
    caller = await tokens.principal_of(token(roles=["image-admins", "auditors", "strangers"]))
    assert (caller.id, caller.name, caller.app_id) == (OBJECT, "ada@example.org", "")
    assert caller.roles == ("Contributor", "Reader")
    assert (await tokens.principal_of(token(roles="auditors"))).roles == ("Reader",)
    assert (await tokens.principal_of(token(roles={"auditors": 1}))).roles == ()


async def test_a_program_has_its_client_id(tokens: OidcTokens) -> None:
    caller = await tokens.principal_of(token(sub=OBJECT, appid="77777777-7777-7777-7777-777777777777"))
    assert caller.app_id == "77777777-7777-7777-7777-777777777777"


async def test_an_issuer_without_uuids_has_one_for_each_caller(tokens: OidcTokens) -> None:
    first = await tokens.principal_of(token(oid=None, sub="auth0|1"))
    again = await tokens.principal_of(token(oid=None, sub="auth0|1"))
    other = await tokens.principal_of(token(oid=None, sub="auth0|2"))
    assert uuid.UUID(first.id)
    assert first.id == again.id != other.id


async def test_elliptic_curves_are_as_good(issuer: Issuer, tokens: OidcTokens) -> None:
    curve = ECKey.generate_key("P-256", parameters={"kid": "curve"})
    issuer.keys.append(curve)
    assert (await tokens.principal_of(token(curve, "ES256"))).id == OBJECT


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"exp": int(time.time()) - 120}, "ExpiredAuthenticationToken"),
        ({"exp": None}, "InvalidAuthenticationToken"),
        ({"sub": None}, "InvalidAuthenticationToken"),
        ({"iss": "https://login.example.org/other/v2.0"}, "InvalidAuthenticationToken"),
        ({"iss": None}, "InvalidAuthenticationToken"),
        ({"aud": "api://other"}, "InvalidAuthenticationTokenAudience"),
        ({"aud": None}, "InvalidAuthenticationToken"),
        ({"nbf": int(time.time()) + 3600}, "InvalidAuthenticationToken"),
    ],
)
async def test_a_token_of_the_issuer_for_others_is_refused(
    tokens: OidcTokens, changed: dict[str, Any], code: str
) -> None:
    with pytest.raises(TokenError) as refused:
        await tokens.principal_of(token(**changed))
    assert refused.value.code == code


async def test_somebody_elses_key_of_the_same_id_is_refused(tokens: OidcTokens) -> None:
    forged = RSAKey.generate_key(2048, parameters={"kid": "one"})
    with pytest.raises(TokenError):
        await tokens.principal_of(token(forged))


async def test_a_secret_that_an_issuer_publishes_is_no_key(tokens: OidcTokens) -> None:
    from joserfc.jwk import OctKey

    shared = OctKey.import_key("shared secret of both sides")
    forged = jwt.encode({"alg": "HS256", "kid": "shared"}, {"sub": "x"}, shared, algorithms=["HS256"])
    with pytest.raises(TokenError):
        await tokens.principal_of(forged)


async def test_keys_are_asked_for_once_and_again_when_the_issuer_has_new_ones(
    issuer: Issuer, tokens: OidcTokens
) -> None:
    for _ in range(3):
        await tokens.principal_of(token())
    assert len(issuer.asked) == 2
    issuer.keys = [FIRST, SECOND]
    issuer.now += AGAIN_SECONDS
    assert (await tokens.principal_of(token(SECOND))).id == OBJECT
    issuer.keys = [SECOND]
    issuer.now += FRESH_SECONDS
    with pytest.raises(TokenError):
        await tokens.principal_of(token(FIRST))


async def test_tokens_with_keys_that_there_are_not_do_not_make_the_service_ask_all_the_time(
    issuer: Issuer, tokens: OidcTokens
) -> None:
    await tokens.principal_of(token())
    issuer.now += AGAIN_SECONDS
    for _ in range(5):
        with pytest.raises(TokenError):
            await tokens.principal_of(token(SECOND))
    assert len(issuer.asked) == 4


async def test_known_keys_outlast_an_issuer_that_does_not_answer_for_a_day(
    issuer: Issuer, tokens: OidcTokens, recorder: Recorder
) -> None:
    await tokens.principal_of(token())
    issuer.is_down = True
    issuer.now += FRESH_SECONDS
    assert (await tokens.principal_of(token())).id == OBJECT
    [said] = recorder.of(Notice)
    assert said.message == f"the keys of {ISSUER} cannot be had: Connection refused"
    issuer.now += USABLE_SECONDS
    with pytest.raises(ArmError) as refused:
        await tokens.principal_of(token())
    assert (refused.value.status, refused.value.headers["Retry-After"]) == (503, "10")


async def test_an_issuer_of_another_name_is_not_believed(issuer: Issuer, tokens: OidcTokens) -> None:
    issuer.name = "https://login.example.org/other/v2.0"
    with pytest.raises(ArmError):
        await tokens.principal_of(token())


@pytest.mark.parametrize("database_settings", ["sqlite"], indirect=True)
async def test_with_a_real_issuer_the_service_gives_no_tokens_and_sends_clients_there(
    settings: Settings, database: Database, events: Events
) -> None:
    real = settings.model_copy(update={"service": ServiceSettings(oidc=SETTINGS)})
    async with client_of(identity_of(real, database, events)) as http:
        cloud = (await http.get("/metadata/endpoints?api-version=2022-09-01")).json()
        assert cloud["authentication"]["loginEndpoint"] == "https://login.example.org"
        assert cloud["authentication"]["audiences"] == ["api://vmwright"]
        assert (await http.post("/adfs/oauth2/token", data={"grant_type": "password"})).status_code == 404
        refused = await http.get("/subscriptions/s")
        assert refused.headers["www-authenticate"].startswith(f'Bearer authorization_uri="{ISSUER}"')
        assert BASE not in refused.headers["www-authenticate"]
