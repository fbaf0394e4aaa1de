"""Redirects, addresses, TLS and proxies: where a download may go."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any

import pytest

from vmwright.downloads import Downloader, Origin
from vmwright.errors import DownloadError

if TYPE_CHECKING:
    from pathlib import Path

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


def redirect(to: str) -> bytes:
    return f"HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()


async def fetch(downloader: Downloader, url: str, folder: Path) -> bytes:
    got = await downloader.fetch(url, folder / "got", sha256=None, what="the script", origin=Origin.SERVICE)
    return got.path.read_bytes()


async def test_redirects_are_followed(server: Any, downloader: Downloader, tmp_path: Path) -> None:
    server.answers = [redirect("/b?x=1"), redirect(server.url("/c")), OK]
    assert await fetch(downloader, server.url("/a"), tmp_path) == b"ok"
    assert [asked.path for asked in server.asked] == ["/a", "/b?x=1", "/c"]


async def test_redirects_in_a_circle_end(server: Any, downloader: Downloader, tmp_path: Path) -> None:
    server.answers = [redirect("/a")]
    with pytest.raises(DownloadError, match="more than 10 redirects"):
        await fetch(downloader, server.url("/a"), tmp_path)


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/metadata/instance",
        "http://168.63.129.16/machine",
        "http://2852039166/",
        "http://0xa9fea9fe/",
        "http://[::ffff:169.254.169.254]/",
        "http://[fe80::1]/",
        "http://0.0.0.0/",
    ],
)
async def test_metadata_addresses_are_refused_at_once_and_after_a_redirect(
    server: Any, downloader: Downloader, tmp_path: Path, url: str
) -> None:
    server.answers = [redirect(url)]
    with pytest.raises(DownloadError, match="an address that downloads never go to"):
        await fetch(downloader, url, tmp_path)
    with pytest.raises(DownloadError, match="an address that downloads never go to"):
        await fetch(downloader, server.url(), tmp_path)
    assert len(server.asked) == 1


async def test_a_redirect_to_a_file_is_refused(server: Any, downloader: Downloader, tmp_path: Path) -> None:
    server.answers = [redirect("file:///etc/hostname")]
    with pytest.raises(DownloadError, match="which is not followed"):
        await fetch(downloader, server.url(), tmp_path)


async def test_the_connection_goes_to_the_address_that_was_checked(
    server: Any, downloader: Downloader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that is harmless when it is checked and the metadata service when it is connected to."""
    answers = ["127.0.0.1", "169.254.169.254"]
    real = socket.getaddrinfo

    def rebinding(host: Any, port: Any, *args: Any, **more: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        return real(answers.pop(0) if name == "rebind.example" else name, port, *args, **more)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    server.answers = [OK]
    assert await fetch(downloader, server.url(host="rebind.example"), tmp_path) == b"ok"
    assert server.asked[0].headers["host"] == f"rebind.example:{server.port}"
    assert answers == ["169.254.169.254"]
    with pytest.raises(DownloadError, match=r"rebind\.example leads to 169\.254\.169\.254"):
        await fetch(downloader, server.url(host="rebind.example"), tmp_path)


async def test_every_address_of_a_host_is_tried(
    server: Any, downloader: Downloader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = socket.getaddrinfo

    def two(host: Any, port: Any, *args: Any, **more: Any) -> Any:
        if host not in {"two.example", b"two.example"}:
            return real(host, port, *args, **more)
        return [*real("127.0.0.2", port, *args, **more), *real("127.0.0.1", port, *args, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", two)
    server.answers = [OK]
    assert await fetch(downloader, server.url(host="two.example"), tmp_path) == b"ok"


async def test_tls_proves_the_name_although_the_address_is_connected_to(
    tls_server: Any, downloader: Downloader, tmp_path: Path
) -> None:
    tls_server.answers = [OK]
    assert await fetch(downloader, tls_server.url(host="localhost"), tmp_path) == b"ok"


async def test_a_certificate_of_another_name_is_refused_at_once(
    tls_server: Any, downloader: Downloader, tmp_path: Path
) -> None:
    with pytest.raises(DownloadError, match="certificate is not trusted") as caught:
        await fetch(downloader, tls_server.url(host="127.0.0.1"), tmp_path)
    assert "SSL_CERT_FILE" in str(caught.value.hint)
    assert tls_server.asked == []


async def test_an_unknown_authority_is_refused_at_once(
    tls_server: Any, downloader: Downloader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    with pytest.raises(DownloadError, match="certificate is not trusted"):
        await fetch(downloader, tls_server.url(host="localhost"), tmp_path)


async def test_https_is_never_left_for_http(
    tls_server: Any, server: Any, downloader: Downloader, tmp_path: Path
) -> None:
    tls_server.answers = [redirect(server.url())]
    with pytest.raises(DownloadError, match="which is not followed"):
        await fetch(downloader, tls_server.url(host="localhost"), tmp_path)
    assert server.asked == []


async def test_a_proxy_of_the_environment_connects_instead(
    server: Any, downloader: Downloader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", server.url(""))
    monkeypatch.setenv("no_proxy", "")
    server.answers = [OK]
    assert await fetch(downloader, "http://only-the-proxy-knows.example/x", tmp_path) == b"ok"
    assert server.asked[0].path == "http://only-the-proxy-knows.example/x"
    with pytest.raises(DownloadError, match="never go to"):
        await fetch(downloader, "http://169.254.169.254/x", tmp_path)
