from __future__ import annotations

import pytest

from vmwright.arm.identity.address import address_of
from vmwright.settings import ServiceSettings


def test_users_are_told_localhost_where_only_this_host_is_listened_to() -> None:
    for listen in ("127.0.0.1:8443", "[::1]:8443", "localhost:8443", "127.0.0.5:8443"):
        assert address_of(ServiceSettings(listen=listen)).url == "https://localhost:8443"


def test_a_name_that_is_listened_to_comes_first() -> None:
    address = address_of(ServiceSettings(listen="Builder.example.org:443", names=("images.example.org",)))
    assert address.url == "https://builder.example.org:443"
    assert set(address.names) >= {"images.example.org", "localhost", "127.0.0.1", "::1"}
    assert address_of(ServiceSettings(listen="[fd00::5]:443")).url == "https://[fd00::5]:443"


@pytest.mark.parametrize(
    ("audience", "is_own"),
    [
        ("https://localhost:8443/", True),
        ("https://localhost:8443", True),
        # forwarded from another port
        ("https://127.0.0.1:9000/", True),
        ("https://[::1]:8443/", True),
        ("https://localhost:8443/graph/", True),
        ("https://management.azure.com/", True),
        ("https://management.core.windows.net/", True),
        ("http://localhost:8443/", False),
        ("https://localhost.example.org/", False),
        ("https://localhost@example.org/", False),
        ("https://example.org@localhost/", False),
        ("https://localhost:8443/other", False),
        ("https://localhost:8443/?a", False),
        ("https://[::1", False),
        ("urn:vmwright:refresh", False),
        ("", False),
    ],
)
def test_a_token_is_for_the_service_by_any_of_its_names_and_for_nothing_else(
    audience: str, *, is_own: bool
) -> None:
    assert address_of(ServiceSettings()).is_audience(audience) is is_own
