"""A program of its own: listens at an address of the namespace it is run in and hands the socket out.

Arguments: the number of the open Unix socket that takes it, an IPv4 address, a TCP port.
"""

import socket
import sys


def main(number: str, address: str, port: str) -> None:
    """Listen, and send the listening socket away."""
    with socket.create_server((address, int(port))) as listening, socket.socket(fileno=int(number)) as taker:
        socket.send_fds(taker, [b"\0"], [listening.fileno()])


if __name__ == "__main__":
    main(*sys.argv[1:])
