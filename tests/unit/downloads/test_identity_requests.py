"""What an identity adds to a request: to which URLs, and with what."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import httpx2
import pytest

from vmwright.downloads import storage
from vmwright.downloads.identities import Identities
from vmwright.errors import DownloadError
from vmwright.events import Event, Events, Notice
from vmwright.settings import Settings

NAME = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/builder"
OTHER = NAME.replace("builder", "other")
BLOB = httpx2.URL("https://corpscripts.blob.core.windows.net/c/install.sh")
SAS = "sv=2021-08-06&sp=r&sig=c2VjcmV0LXNpZ25hdHVyZQ%3D%3D"
KEY = base64.b64encode(b"an account key").decode()


def identities(
    storage: dict[str, Any],
    *,
    under: str = "*",
    names: tuple[str, ...] = (NAME,),
    events: Events | None = None,
) -> Identities:
    settings = Settings.model_validate({"identities": {under: {"storage": storage}}})
    return Identities(settings, events or Events(), names)


@pytest.mark.parametrize(
    ("url", "account"),
    [
        ("https://corpscripts.blob.core.windows.net/c/x", "corpscripts"),
        ("https://CorpScripts.Blob.Core.Windows.Net/c/x", "corpscripts"),
        ("https://corpscripts-secondary.blob.core.windows.net/c/x", "corpscripts"),
        ("https://corpscripts.z12.blob.storage.azure.net/c/x", "corpscripts"),
        ("https://corpscripts.blob.core.usgovcloudapi.net/c/x", "corpscripts"),
        ("https://corpscripts.blob.core.chinacloudapi.cn/c/x", "corpscripts"),
        ("https://corpscripts.blob.core.windows.net.evil.example/c/x", None),
        ("https://evil.example/corpscripts.blob.core.windows.net/c/x", None),
        ("https://corpscripts.blob.core.windows.net@evil.example/c/x", None),
        ("https://a.corpscripts.blob.core.windows.net/c/x", None),
        ("https://corpscripts.blob.core.windows.net.:443/c/x", None),
        ("https://corpscriptsxblob.core.windows.net/c/x", None),
    ],
)
async def test_only_azures_own_hosts_are_an_account(url: str, account: str | None) -> None:
    parsed = httpx2.URL(url)
    assert storage.azure_account(parsed) == account
    request = await identities({"corpscripts": {"sas": SAS}}).open(parsed)
    assert (request.url != parsed) is (account is not None)


@pytest.mark.parametrize(
    ("url", "opened"),
    [
        ("https://files.example:8443/corpscripts/c/x", True),
        ("https://files.example:8443/corpscripts2/c/x", False),
        ("https://files.example:8444/corpscripts/c/x", False),
        ("https://files.example/corpscripts/c/x", False),
        ("https://other.example:8443/corpscripts/c/x", False),
        ("http://files.example:8443/corpscripts/c/x", False),
        ("https://corpscripts.blob.core.windows.net/c/x", False),
    ],
)
async def test_an_endpoint_is_one_server_and_what_is_below_it(url: str, *, opened: bool) -> None:
    storage = {"corpscripts": {"sas": SAS, "endpoint": "https://files.example:8443/corpscripts/"}}
    request = await identities(storage).open(httpx2.URL(url))
    assert ("sig" in request.url.params) is opened


async def test_a_query_and_a_sas_go_together() -> None:
    request = await identities({"corpscripts": {"sas": f"?{SAS}\n"}}).open(BLOB.copy_add_param("a", "b"))
    assert str(request.url) == f"{BLOB}?a=b&{SAS}"


@pytest.mark.parametrize(
    "url",
    [
        BLOB.copy_with(scheme="http"),
        BLOB.copy_add_param("sig", "its-own-signature"),
        BLOB.copy_with(host="corpimages.blob.core.windows.net"),
    ],
    ids=["http", "signed already", "another account"],
)
@pytest.mark.parametrize(
    "credential", [{"sas": SAS}, {"account_key": KEY}, {"azure_identity": "environment"}]
)
async def test_nothing_is_added_where_it_does_not_belong(url: httpx2.URL, credential: dict[str, str]) -> None:
    request = await identities({"corpscripts": credential}).open(url)
    assert (request.url, dict(request.headers)) == (url, {})


@pytest.mark.parametrize(
    ("under", "names", "opened"),
    [
        (NAME.upper(), (NAME,), True),
        ("*", (NAME,), True),
        (OTHER, (NAME,), False),
        (OTHER, (NAME, OTHER), True),
        ("*", (), False),
    ],
)
async def test_who_opens_what(under: str, names: tuple[str, ...], *, opened: bool) -> None:
    request = await identities({"corpscripts": {"sas": SAS}}, under=under, names=names).open(BLOB)
    assert ("sig" in request.url.params) is opened


async def test_an_identity_of_its_own_wins_over_any() -> None:
    def storage(signature: str) -> dict[str, Any]:
        return {"storage": {"corpscripts": {"sas": f"sig={signature}"}}}

    settings = Settings.model_validate({"identities": {"*": storage("any"), NAME: storage("own")}})
    assert (await Identities(settings, Events(), (NAME,)).open(BLOB)).url.params["sig"] == "own"


async def test_a_key_signs_one_blob_for_reading_only() -> None:
    params = (await identities({"corpscripts": {"account_key": KEY}}).open(BLOB)).url.params
    assert (params["sr"], params["sp"], params["spr"]) == ("b", "r", "https")


@pytest.mark.parametrize(
    ("path", "container", "name"),
    [("/c/a/b%20c.sh", "c", "a/b c.sh"), ("/file.sh", "$root", "file.sh"), ("/c/%C3%A9", "c", "é")],
)
def test_a_blob_is_named_without_the_encoding_of_its_url(path: str, container: str, name: str) -> None:
    url = httpx2.URL(f"https://corpscripts.blob.core.windows.net{path}")
    blob = storage.blob_of(url, "corpscripts", None)
    assert (blob.container, blob.name) == (container, name)


@pytest.mark.parametrize(
    ("credential", "said"),
    [
        ({"sas": {"env": "NO_SUCH_SAS"}}, "NO_SUCH_SAS is not set"),
        ({"sas": {"file": "/no/such/file"}}, "/no/such/file cannot be read: No such file"),
        ({"sas": " "}, "sas is empty"),
        ({"sas": "sv=2021&sp=r"}, "is not a shared access signature"),
        ({"account_key": "not base64!"}, "account_key is not in base64"),
    ],
)
async def test_a_credential_that_is_none_names_its_key(credential: dict[str, Any], said: str) -> None:
    with pytest.raises(DownloadError, match=said) as caught:
        await identities({"corpscripts": credential}).open(BLOB)
    assert str(caught.value.target).startswith('identities."*".storage.corpscripts')


async def test_what_was_read_is_replaced_wherever_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text(KEY)
    monkeypatch.setenv("CORP_SAS", SAS)
    said: list[Event] = []
    events = Events(said.append)
    keyed = identities({"corpscripts": {"account_key": {"file": str(tmp_path / "key")}}}, events=events)
    made = (await keyed.open(BLOB)).url.params["sig"]
    await identities({"corpscripts": {"sas": {"env": "CORP_SAS"}}}, events=events).open(BLOB)
    events.note(f"{KEY} {made} {SAS} c2VjcmV0LXNpZ25hdHVyZQ== c2VjcmV0LXNpZ25hdHVyZQ%3D%3D")
    assert [event.message for event in said if isinstance(event, Notice)] == [" ".join(["******"] * 5)]


@pytest.mark.parametrize(
    ("status", "headers", "names", "scheme", "hint"),
    [
        (
            409,
            {"x-ms-request-id": "1"},
            (OTHER,),
            "https",
            f'[identities."{OTHER}".storage.corpscripts]\nsas =',
        ),
        (404, {"x-ms-request-id": "1"}, (), "https", "only to a template with an identity"),
        (403, {"x-ms-request-id": "1"}, (NAME,), "https", "does not open this blob"),
        (404, {"x-ms-request-id": "1"}, (NAME,), "http", "write https://"),
        (403, {}, (NAME,), "https", None),
        (200, {"x-ms-request-id": "1"}, (NAME,), "https", None),
    ],
)
def test_a_refusal_says_what_to_do(
    status: int, headers: dict[str, str], names: tuple[str, ...], scheme: str, hint: str | None
) -> None:
    known = identities({"corpscripts": {"sas": SAS}}, under=NAME, names=names)
    said = known.explain(BLOB.copy_with(scheme=scheme), httpx2.Response(status, headers=headers))
    assert said == hint if hint is None else hint in str(said)


def test_a_server_that_speaks_like_storage_is_named_with_its_endpoint() -> None:
    refused = httpx2.Response(404, headers={"x-ms-request-id": "1"})
    hints = [
        str(identities({}).explain(httpx2.URL(url), refused))
        for url in ("http://127.0.0.1:10000/devstoreaccount1/c/x", "https://corp.blob.stack.example/c/x")
    ]
    assert 'storage.devstoreaccount1]\nendpoint = "http://127.0.0.1:10000/devstoreaccount1"\n' in hints[0]
    assert 'storage.corp]\nendpoint = "https://corp.blob.stack.example"\n' in hints[1]
