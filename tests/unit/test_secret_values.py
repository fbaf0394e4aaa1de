from __future__ import annotations

import pytest

from vmwright.secret_values import secrets_in


@pytest.mark.parametrize(
    ("query", "secrets"),
    [
        ("sv=1&sig=aGVsbG8gd29ybGQ%3D&x=short", {"aGVsbG8gd29ybGQ=", "aGVsbG8gd29ybGQ%3D"}),
        ("X-Amz-Signature=0f3a9b7c21d4&X-Amz-Date=20250101T000000Z", {"0f3a9b7c21d4"}),
        ("x-goog-signature=0f3a9b7c21d4", {"0f3a9b7c21d4"}),
        ("Token=t0ken&%73ig=abc", {"t0ken", "abc"}),
        ("design=blue&monkey=see&sig=&token", set()),
    ],
)
def test_what_of_a_query_grants_access_is_secret(query: str, secrets: set[str]) -> None:
    assert set(secrets_in(f"https://host/a?{query}")) == secrets


@pytest.mark.parametrize(
    ("user", "secrets"),
    [
        ("me:passw0rd@", {"passw0rd"}),
        ("me:p%40ss+w%C3%B6rd@", {"p@ss+wörd", "p%40ss+w%C3%B6rd"}),
        ("me@", set()),
        ("", set()),
    ],
)
def test_a_password_is_secret_as_written_and_decoded(user: str, secrets: set[str]) -> None:
    assert set(secrets_in(f"https://{user}host/a?version=3")) == secrets
