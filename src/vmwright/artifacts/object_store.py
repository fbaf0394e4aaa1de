"""Objects by key in the store that hosts share: Azure Blob, S3, Google Cloud Storage, or a folder.

What passes by itself (a broken connection, a server that is busy or restarts) is tried again for a minute.
Every request may be sent twice: keys name what is in their objects. What the library says is never quoted,
because it may repeat a request with its signature; a failure is told by its status, code and cause.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast
from urllib.parse import unquote, urlsplit

from vmwright.artifacts import store_failures
from vmwright.artifacts.store_failures import PassingError
from vmwright.errors import StoreError
from vmwright.secret_values import read_secret

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime

    from obstore.store import (
        AzureConfig,
        AzureStore,
        ClientConfig,
        GCSConfig,
        GCSStore,
        LocalStore,
        RetryConfig,
        S3Config,
        S3Store,
    )

    from vmwright.settings import StoreSettings

    Store = AzureStore | S3Store | GCSStore | LocalStore

T = TypeVar("T")
RETRY_SECONDS = 60.0
FIRST_WAIT = 0.2
LONGEST_WAIT = 5.0
CLOCK = "clock"
CONNECT_SECONDS = 10
# of one request: a chunk of 16 MiB, at 1.1 Mbit/s or more
REQUEST_SECONDS = 120
ENDPOINTS = (
    "AZURE_STORAGE_ENDPOINT",
    "AZURE_ENDPOINT",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT",
    "AWS_ENDPOINT_URL_S3",
)


@dataclass(frozen=True, slots=True)
class StoredObject:
    """An object of the store: its length, and when it was last written (by the store's clock)."""

    size_bytes: int
    modified_at: datetime


class ObjectStore:
    """The objects below one URL: ``az://container/prefix``, ``s3://``, ``gs://`` or ``file:///folder``.

    Every method raises StoreError where the store cannot be used.
    """

    def __init__(self, url: str, settings: StoreSettings) -> None:
        self.url = url
        self._settings = settings
        self._store: Store | None = None
        import stamina  # noqa: PLC0415 - most homes have no store: they do not wait for it

        # Each failed attempt is told by its end; stamina would print it to standard error.
        stamina.instrumentation.set_on_retry_hooks(())
        self._retry = stamina.AsyncRetryingCaller(
            attempts=None, timeout=RETRY_SECONDS, wait_initial=FIRST_WAIT, wait_max=LONGEST_WAIT
        ).on(PassingError)

    async def put(self, key: str, data: bytes) -> None:
        """Write an object, which takes the place of one of that key; nobody sees a part of it."""

        async def ask(store: Store) -> object:
            # in one request: a multipart upload that breaks off leaves parts that are paid for
            return await store.put_async(key, data, use_multipart=False)

        try:
            await self._request(ask)
        except FileNotFoundError as error:
            raise store_failures.missing_store(self.url) from error

    async def get(self, key: str) -> bytes | None:
        """Return an object, or None where there is none of that key."""

        async def ask(store: Store) -> bytes:
            return bytes(await (await store.get_async(key)).bytes_async())

        try:
            return await self._request(ask)
        except FileNotFoundError:
            return None

    async def find(self, key: str) -> StoredObject | None:
        """Return an object's length and time, or None where there is none of that key."""

        async def ask(store: Store) -> StoredObject:
            found = await store.head_async(key)
            return StoredObject(found["size"], found["last_modified"])

        try:
            return await self._request(ask)
        except FileNotFoundError:
            return None

    async def below(self, prefix: str) -> Mapping[str, StoredObject]:
        """Return the objects below a prefix (a folder) by their keys."""

        async def ask(store: Store) -> dict[str, StoredObject]:
            found = await store.list(prefix).collect_async()
            return {one["path"]: StoredObject(one["size"], one["last_modified"]) for one in found}

        try:
            return await self._request(ask)
        except FileNotFoundError as error:
            raise store_failures.missing_store(self.url) from error

    async def folders(self, prefix: str) -> tuple[str, ...]:
        """Return the names directly below a prefix that have objects below them."""

        async def ask(store: Store) -> tuple[str, ...]:
            found = await store.list_with_delimiter_async(prefix)
            return tuple(path.rpartition("/")[2] for path in found["common_prefixes"])

        try:
            return await self._request(ask)
        except FileNotFoundError as error:
            raise store_failures.missing_store(self.url) from error

    async def now(self) -> datetime:
        """Return the time by the store's clock, which alone its objects' times can be compared with.

        An object is written for it, as there is no other way to ask.
        """
        await self.put(CLOCK, b"")
        if found := await self.find(CLOCK):
            return found.modified_at
        raise StoreError(f"The store {self.url} does not keep what is written to it", target=self.url)

    async def delete(self, prefix: str) -> None:
        """Remove all objects below a prefix; there being none is no error."""
        while keys := list(await self.below(prefix)):
            await self._delete(keys)
        if folder := self._folder:
            # what writing leaves that was broken off; it is not listed
            await asyncio.to_thread(shutil.rmtree, folder / prefix, ignore_errors=True)

    async def delete_one(self, key: str) -> None:
        """Remove an object; there being none is no error."""
        await self._delete([key])

    async def _delete(self, keys: list[str]) -> None:
        async def ask(store: Store) -> None:
            await store.delete_async(keys)

        try:
            await self._request(ask)
        except FileNotFoundError:
            # another has removed one of them, and the rest may still be there
            return

    async def _request(self, ask: Callable[[Store], Awaitable[T]]) -> T:
        """Ask until there is an answer.

        :raises FileNotFoundError: there is no object of that key.
        """
        store = self._connected()
        try:
            return await self._retry(self._attempt, store, ask)
        except PassingError as error:
            raise store_failures.unreachable(self.url, error, seconds=RETRY_SECONDS) from None

    async def _attempt(self, store: Store, ask: Callable[[Store], Awaitable[T]]) -> T:
        from obstore.exceptions import BaseError  # noqa: PLC0415 - only where a store is configured

        try:
            return await ask(store)
        except (BaseError, FileNotFoundError) as error:
            raise store_failures.failure(self.url, error) from None

    @property
    def _folder(self) -> Path | None:
        parts = urlsplit(self.url)
        return Path(unquote(parts.path)) if parts.scheme == "file" else None

    def _connected(self) -> Store:
        """Return the store; nothing is asked of its server yet."""
        if (folder := self._folder) and not folder.is_dir():
            # of a file in it, the library would say only that it is not there
            raise store_failures.missing_store(self.url)
        if self._store is None:
            self._store = self._connect()
        return self._store

    def _connect(self) -> Store:
        from obstore.exceptions import BaseError  # noqa: PLC0415
        from obstore.store import LocalStore  # noqa: PLC0415

        options = {
            key: read_secret(value, key=f"store.options.{key}", failure=StoreError)
            for key, value in self._settings.options.items()
        }
        try:
            if not (folder := self._folder):
                return self._remote(options)
            if options:
                raise StoreError("store.options are for object storage, not for a folder", target=self.url)
            return LocalStore(folder)
        except (BaseError, ValueError) as error:
            raise store_failures.wrong_options(self.url, error, options.values()) from None

    def _remote(self, options: dict[str, str]) -> Store:
        from obstore import store  # noqa: PLC0415

        parts = urlsplit(self.url)
        name, prefix = parts.netloc, unquote(parts.path).strip("/") or None
        # tried again here, also what the library calls unsafe to repeat
        retry: RetryConfig = {"max_retries": 0}
        client: ClientConfig = {
            "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
            "timeout": timedelta(seconds=REQUEST_SECONDS),
            "allow_http": _is_plain(options),
        }
        match parts.scheme:
            case "az":
                azure = cast("AzureConfig", options)
                return store.AzureStore(
                    name, prefix=prefix, config=azure, client_options=client, retry_config=retry
                )
            case "s3":
                s3 = cast("S3Config", options)
                return store.S3Store(
                    name, prefix=prefix, config=s3, client_options=client, retry_config=retry
                )
            case _:
                gcs = cast("GCSConfig", options)
                return store.GCSStore(
                    name, prefix=prefix, config=gcs, client_options=client, retry_config=retry
                )


def _is_plain(options: Mapping[str, str]) -> bool:
    """Return whether the operator named an endpoint without TLS, such as a MinIO beside."""
    named = [value for key, value in options.items() if "endpoint" in key.lower()]
    named += [os.environ.get(name, "") for name in ENDPOINTS]
    return any(value.startswith("http://") for value in named)
