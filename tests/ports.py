"""Ports for servers that must be told one."""

import pathlib
import random
import socket

RANGE = pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port():
    """None of those that the system gives to clients: one of them, or of another suite, could have it before its server."""
    first, last = (int(word) for word in RANGE.read_text().split())
    while True:
        port = random.randrange(10240, first) if first > 16384 else random.randrange(last + 1, 65536)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                pass
