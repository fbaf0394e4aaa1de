"""What the library's words mean for the next request, and what of them is told."""

from __future__ import annotations

import pytest
from pydantic import SecretStr, ValidationError

from vmwright.artifacts.chunks import Manifest
from vmwright.artifacts.store_failures import PassingError, failure
from vmwright.errors import StoreError
from vmwright.settings import StoreSettings

URL = "s3://bucket/prefix"


def answered(status: str, body: str = "") -> str:
    return (
        "Generic S3 error: Error performing PUT https://h/x?X-Amz-Signature=abc in 2.1ms - "
        f"Server returned non-2xx status code: {status}: {body}\n\nDebug source:\n..."
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (answered("503 Slow Down", "<Error><Code>SlowDown</Code></Error>"), "HTTP 503 Slow Down (SlowDown)"),
        (answered("429 Too Many Requests"), "HTTP 429 Too Many Requests"),
        ("GET http://169.254.169.254/x - " + answered("429 Too Many Requests"), "HTTP 429 Too Many Requests"),
        (answered("408 Request Timeout"), "HTTP 408 Request Timeout"),
        (
            'HTTP error: error sending request\n\n... kind: Connect, "dns error"',
            "its name cannot be resolved",
        ),
        ('... Os { code: 104, message: "Connection reset by peer" }', "Connection reset by peer"),
        ("HTTP error: request or response body error\n\n... kind: Timeout", "it did not answer in time"),
        ("what no version has said yet ?sig=abc", "the connection failed"),
    ],
)
def test_what_passes_by_itself(text: str, said: str) -> None:
    found = failure(URL, RuntimeError(text))
    assert isinstance(found, PassingError)
    assert str(found) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (answered("403 Forbidden", "<Code>AccessDenied</Code>"), "HTTP 403 Forbidden (AccessDenied)"),
        (answered("400 Bad Request"), "HTTP 400 Bad Request"),
        ("Error performing token request: GET http://169.254.169.254/metadata", "no credentials"),
        ("GET http://169.254.169.254/latest - " + answered("403 Forbidden"), "no credentials"),
        ("invalid peer certificate: UnknownIssuer", "certificate is not trusted"),
        ("HTTP error: builder error\n\n... source: BadScheme", "not a URL of https"),
    ],
)
def test_what_stays(text: str, said: str) -> None:
    found = failure(URL, RuntimeError(text))
    assert isinstance(found, StoreError)
    assert found.message.startswith(f"The store {URL} cannot be used: ")
    assert said in found.message
    assert "abc" not in found.message
    assert found.hint


def test_a_missing_object_is_no_missing_bucket() -> None:
    missing = FileNotFoundError(answered("404 Not Found", "<Code>NoSuchKey</Code>"))
    assert failure(URL, missing) is missing
    nowhere = FileNotFoundError(answered("404 Not Found", "<Code>NoSuchBucket</Code>"))
    assert isinstance(failure(URL, nowhere), StoreError)


def test_no_room_in_a_folder_is_not_waited_for() -> None:
    text = '... Os { code: 28, kind: StorageFull, message: "No space left on device" }'
    assert isinstance(failure("file:///srv/store", RuntimeError(text)), StoreError)


@pytest.mark.parametrize(
    "url",
    [
        "s3://key:secret@bucket/p",
        "s3://bucket/p?token=secret",
        "file://folder/p",
        "https://host/p",
        "az:///p",
    ],
)
def test_a_url_that_is_none_or_has_a_secret_is_refused(url: str) -> None:
    with pytest.raises(ValidationError) as caught:
        StoreSettings(url=url)
    assert "secret" not in caught.value.errors()[0]["msg"]


def test_options_are_not_shown() -> None:
    assert "hunter2" not in repr(StoreSettings(url=URL, options={"secret_access_key": SecretStr("hunter2")}))


@pytest.mark.parametrize(
    "written",
    [
        '{"version":2,"size_bytes":0,"chunk_bytes":1,"chunks":{}}',
        '{"version":1,"size_bytes":-1,"chunk_bytes":1,"chunks":{}}',
        '{"version":1,"size_bytes":9,"chunk_bytes":0,"chunks":{}}',
        '{"version":1,"size_bytes":9,"chunk_bytes":9,"chunks":{"1":"%s"}}' % ("0" * 64),
        '{"version":1,"size_bytes":9,"chunk_bytes":9,"chunks":{"-1":"%s"}}' % ("0" * 64),
        '{"version":1,"size_bytes":9,"chunk_bytes":9,"chunks":{"0":"../x"}}',
        '{"version":1,"size_bytes":9,"chunk_bytes":9999999999,"chunks":{}}',
        "[]",
    ],
)
def test_a_manifest_that_cannot_be_is_refused(written: str) -> None:
    with pytest.raises(ValidationError):
        Manifest.model_validate_json(written)


def test_a_manifest_is_read_as_it_was_written() -> None:
    made = Manifest(size_bytes=100, chunk_bytes=40, chunks={0: "0" * 64, 2: "1" * 64})
    assert Manifest.model_validate_json(made.model_dump_json()) == made
    assert [made.length(index) for index in range(3)] == [40, 40, 20]
