"""An account's key makes a signature for one blob, for one hour. Imported where a key is configured: slow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from azure.storage.blob import BlobSasPermissions, generate_blob_sas

if TYPE_CHECKING:
    import httpx2

    from vmwright.downloads.storage import Blob

# Clocks differ by minutes; a transfer may take longer than this, once it has begun.
VALID_FOR = timedelta(hours=1)


def sign(url: httpx2.URL, blob: Blob, account_key: str) -> str:
    """Return a shared access signature that reads the one blob (snapshot, version) that a URL names.

    :raises ValueError: the key is not base64.
    """
    return generate_blob_sas(
        blob.account,
        blob.container,
        blob.name,
        snapshot=url.params.get("snapshot"),
        version_id=url.params.get("versionid"),
        account_key=account_key,
        permission=BlobSasPermissions(read=True),
        expiry=datetime.now(UTC) + VALID_FOR,
        protocol="https" if url.scheme == "https" else "https,http",
    )
