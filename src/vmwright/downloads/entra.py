"""Tokens of Microsoft Entra ID for Azure Storage. Imported where azure_identity is configured: slow."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.identity import DefaultAzureCredential, EnvironmentCredential, ManagedIdentityCredential

from vmwright.downloads.retries import TransientError
from vmwright.errors import DownloadError
from vmwright.settings import AzureIdentity

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken

    from vmwright.settings import StorageCredential

SCOPE = "https://storage.azure.com/.default"


def token(credential: StorageCredential, *, key: str) -> AccessToken:
    """Get a token for Azure Storage; its ``expires_on`` is in seconds since 1970. Blocks.

    :param key: the configuration key of the credential, for errors.
    :raises DownloadError: this host has no such identity, or is refused a token.
    :raises TransientError: who gives tokens cannot be reached just now.
    """
    # What it logs stands in its errors too, and would come between the lines of the build.
    logging.getLogger("azure.identity").setLevel(logging.ERROR)
    try:
        with _credential(credential) as opened:
            return opened.get_token(SCOPE)
    except (ClientAuthenticationError, ValueError) as error:
        raise DownloadError(
            f"azure-identity has no token for {key}: {error}",
            target=key,
            hint="log in with az login, or give azure-identity what it needs (docs/identities.md)",
        ) from None
    except AzureError as error:
        raise TransientError(f"azure-identity got no token: {error}") from None


def _credential(
    credential: StorageCredential,
) -> DefaultAzureCredential | EnvironmentCredential | ManagedIdentityCredential:
    match credential.azure_identity:
        case AzureIdentity.ENVIRONMENT:
            return EnvironmentCredential()
        case AzureIdentity.MANAGED:
            return ManagedIdentityCredential(client_id=credential.client_id)
        case _:
            return DefaultAzureCredential()
