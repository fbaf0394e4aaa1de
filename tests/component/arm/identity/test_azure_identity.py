"""Microsoft's own library logs in, over TLS with the service's own certificates."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import datetime

import httpx2
import pytest
import uvicorn
from azure.core.exceptions import ClientAuthenticationError
from azure.identity import ClientSecretCredential, DeviceCodeCredential

from tests.component.arm.identity.conftest import TENANT, Client, application
from vmwright.arm.identity import certificates
from vmwright.arm.identity.certificates import Certificates
from vmwright.settings import Settings

pytestmark = pytest.mark.parametrize("database_settings", ["sqlite"], indirect=True)


@pytest.fixture
def files(client: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Certificates:
    files = certificates.provide(settings.home / "service", client.identity.address.names)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(files.ca))
    return files


@pytest.fixture
async def url(client: Client, files: Certificates) -> AsyncIterator[str]:
    config = uvicorn.Config(
        application(client.identity),
        log_config=None,
        lifespan="off",
        ssl_certfile=files.server,
        timeout_graceful_shutdown=0,
    )
    server = uvicorn.Server(config)
    # what connects before the server is ready waits for it
    with socket.create_server(("127.0.0.1", 0)) as listening:
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        yield f"https://localhost:{listening.getsockname()[1]}"
        server.should_exit = True
        await serving


@pytest.mark.parametrize("tenant", ["adfs", TENANT])
async def test_a_service_principal_logs_in(client: Client, url: str, tenant: str) -> None:
    credential = ClientSecretCredential(
        tenant,
        client.owner.account.app_id,
        client.owner.secret,
        authority=url,
        disable_instance_discovery=True,
    )
    with closing(credential):
        token = await asyncio.to_thread(credential.get_token, f"{url}/.default")
    assert (await client.call(token.token)).json()["name"] == "owner"


async def test_a_wrong_secret_is_told_from_other_failures(client: Client, url: str) -> None:
    credential = ClientSecretCredential("adfs", client.owner.account.app_id, "wrong", authority=url)
    refused = pytest.raises(ClientAuthenticationError, match="AADSTS7000215: Invalid client secret provided")
    with closing(credential), refused:
        await asyncio.to_thread(credential.get_token, f"{url}/.default")


async def test_a_user_logs_in_by_a_devices_code(
    client: Client, url: str, files: Certificates, user: str
) -> None:
    def confirm(page: str, code: str, expires_on: datetime) -> None:
        trusting = ssl.create_default_context(cafile=str(files.ca))
        form = {"user_code": code, "login": user, "secret": "pass word"}
        assert httpx2.post(page, data=form, verify=trusting).status_code == 200

    credential = DeviceCodeCredential(tenant_id="adfs", authority=url, prompt_callback=confirm)
    with closing(credential):
        token = await asyncio.to_thread(credential.get_token, f"{url}/.default")
    assert (await client.call(token.token)).json()["name"] == user
