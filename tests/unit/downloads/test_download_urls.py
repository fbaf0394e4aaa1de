from __future__ import annotations

import os
from ipaddress import ip_address
from urllib.parse import quote

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmwright.downloads import urls
from vmwright.downloads.addresses import is_refused
from vmwright.downloads.retries import retry_after
from vmwright.downloads.urls import Origin
from vmwright.errors import DownloadError


def where(url: str, mirrors: dict[str, str]) -> str:
    return str(urls.locate(url, mirrors=mirrors, origin=Origin.SERVICE).url)


def test_the_longest_prefix_wins() -> None:
    mirrors = {"https://h/": "https://a/", "https://h/x/": "https://b/y/", "https://h/x/long": "https://c/z"}
    assert where("https://h/1", mirrors) == "https://a/1"
    assert where("https://h/x/2?q=1", mirrors) == "https://b/y/2?q=1"
    assert where("https://h/x/long/3", mirrors) == "https://c/z/3"
    assert where("https://h/x/longer", mirrors) == "https://b/y/longer"
    assert where("https://other/1", mirrors) == "https://other/1"


@given(st.text(), st.sampled_from(["", "/", "%2e%2e/", "..%2f", "%2F..", "\\..\\", "%00"]))
def test_no_url_leaves_a_mirror_of_files(text: str, climb: str) -> None:
    url = f"https://h/{climb}{quote(text, safe='/%')}"
    try:
        location = urls.locate(url, mirrors={"https://h/": "file:///srv/mirror/"}, origin=Origin.SERVICE)
    except DownloadError:
        return
    assert location.file is not None
    assert os.path.normpath(location.file).startswith("/srv/mirror")


def test_a_prefix_without_a_slash_is_no_prefix_of_another_host() -> None:
    assert where("https://host.evil/x", {"https://host": "https://mirror"}) == "https://host.evil/x"


def test_a_path_is_no_part_of_a_mirrors_name() -> None:
    mirrors = {"https://h/": "https://mirror", "https://f/": "file:///srv/mirror"}
    assert where("https://h/@evil/x", mirrors) == "https://mirror/@evil/x"
    assert where("https://h/.evil/x", mirrors) == "https://mirror/.evil/x"
    location = urls.locate("https://f/.ssh/id", mirrors=mirrors, origin=Origin.SERVICE)
    assert str(location.file) == "/srv/mirror/.ssh/id"


def test_case_port_and_user_do_not_hide_a_url_from_its_mirror() -> None:
    assert where("HTTPS://me:pw@Example.COM:443/A", {"https://example.com/": "https://m/"}) == "https://m/A"


@pytest.mark.parametrize(
    "url", ["ftp://h/x", "/etc/passwd", "https:///x", "file://elsewhere/x", "http://[::zz]/", ""]
)
def test_other_schemes_are_refused(url: str) -> None:
    with pytest.raises(DownloadError):
        urls.locate(url, mirrors={}, origin=Origin.LOCAL)


def test_what_is_shown_has_no_secrets() -> None:
    url = httpx2.URL("https://me:passw0rd@h/a?sv=1&sig=aGVsbG8gd29ybGQ%3D&x=short#frag")
    assert urls.shown(url) == "https://h/a?..."


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254", "168.63.129.16", "0.0.0.1", "224.0.0.1", "255.255.255.255", "::", "fe80::1",
        "ff02::1", "fd00:ec2::254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1",
        "::a9fe:a9fe",
    ],
)  # fmt: skip
def test_refused_addresses(address: str) -> None:
    assert is_refused(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "192.168.1.1",
        "::1",
        "fd00::1",
        "8.8.8.8",
        "2606:4700::1111",
        "::ffff:10.0.0.1",
    ],
)
def test_allowed_addresses(address: str) -> None:
    assert not is_refused(ip_address(address))


def test_retry_after() -> None:
    assert retry_after("7") == 7
    assert retry_after("86400") == 120
    assert retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert retry_after("Wed, 21 Oct 2215 07:28:00 GMT") == 120
    assert retry_after("soon") is None
    assert retry_after("\u00b2") is None
    assert retry_after("Mon, 01 Jan 99999999999999999999 00:00:00 GMT") is None
    assert retry_after("") is None
