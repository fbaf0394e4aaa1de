"""Addresses that are never connected to: a template must not read this host's metadata through a build.

Loopback and private addresses are allowed: mirrors and artifact servers live there.
"""

from __future__ import annotations

import asyncio
import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from vmwright.errors import DownloadError

Address = IPv4Address | IPv6Address

REFUSED: tuple[IPv4Network | IPv6Network, ...] = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",  # "this host"
        "169.254.0.0/16",  # link-local: the metadata services of Azure, AWS, GCP and OpenStack
        "168.63.129.16/32",  # Azure's wireserver
        "100.100.100.200/32",  # Alibaba's metadata service
        "192.0.0.192/32",  # Oracle's metadata service
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
        "::/128",
        "fe80::/10",
        "ff00::/8",
        "fd00:ec2::254/128",  # AWS's metadata service
        "fd20:ce::254/128",  # GCP's metadata service
    )
)
COMPATIBLE = IPv6Network("::/96")
TRANSLATED = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))


def is_refused(address: Address) -> bool:
    """Return whether an address, or the IPv4 address inside an IPv6 one, is never connected to."""
    return any(
        one in network
        for one in (address, *_embedded(address))
        for network in REFUSED
        if one.version == network.version
    )


def _embedded(address: Address) -> tuple[IPv4Address, ...]:
    if isinstance(address, IPv4Address) or address.is_loopback:
        return ()
    if address.ipv4_mapped:
        return (address.ipv4_mapped,)
    if address.sixtofour:
        return (address.sixtofour,)
    if address.teredo:
        return address.teredo
    if address in COMPATIBLE or any(address in network for network in TRANSLATED):
        return (IPv4Address(int(address) & 0xFFFFFFFF),)
    return ()


def check(address: Address, *, host: str) -> None:
    """Refuse an address that is never connected to.

    :raises DownloadError: naming the host that led there.
    """
    if is_refused(address):
        raise DownloadError(
            f"{host} leads to {address}, an address that downloads never go to",
            target=host,
            hint="link-local, metadata and multicast addresses are refused",
        )


async def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host, all of them checked, in the order in which to try them.

    :raises DownloadError: the name does not exist, or one of its addresses is refused.
    :raises OSError: the name cannot be resolved just now.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    except socket.gaierror as error:
        if error.errno != socket.EAI_NONAME:
            raise
        raise DownloadError(
            f"The host {host} is not known here",
            target=host,
            hint="check the URL; a host without a name service needs a mirror (docs/downloads.md)",
        ) from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    for address in addresses:
        check(ip_address(address.partition("%")[0]), host=host)
    return addresses


def literal(host: str) -> Address | None:
    """Return the address that a host name is itself, or None."""
    try:
        return ip_address(host)
    except ValueError:
        return None
