# SPDX-License-Identifier: Apache-2.0
"""Programs that talk to each other in network namespaces, and guests whose IP stack is that of one."""

from __future__ import annotations

import os
import select
import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from namespaces import inside, ip, namespace

from urunc.host import tap

if TYPE_CHECKING:
    from collections.abc import Iterator

    from urunc.machine import Network

PATIENCE_S = 10
NOBODY = "nobody answers"


@contextmanager
def guest(network: Network) -> Iterator[str]:
    """A namespace that is what a virtual machine with this network would be."""
    with namespace() as name:
        with inside(name):
            end = tap.open_tun()
            tap.make(end, "eth0", tap.Owner("guest", 0, 0, persistent=False))
        ip("-n", name, "link", "set", "lo", "up")
        ip("-n", name, "link", "set", "eth0", "address", network.mac, "mtu", str(network.mtu), "up")
        own = ((network.address, network.prefix), *((one.address, one.prefix) for one in network.more))
        for address, prefix in own:
            if address:
                ip("-n", name, "address", "add", f"{address}/{prefix}", "dev", "eth0", *nodad(address))
        if network.gateway:
            ip("-n", name, "route", "add", "default", "via", network.gateway, "dev", "eth0", "onlink")
        for route in network.routes:
            via = ["via", route.gateway, "onlink"] if route.gateway else []
            family = "-6" if ":" in route.destination + route.gateway else "-4"
            ip(family, "-n", name, "route", "add", route.destination, *via, "dev", "eth0")
        with wired(network.fd, end):
            yield name
        os.close(end)


def nodad(address: str) -> list[str]:
    """An address of IPv6 that may be used at once."""
    return ["nodad"] if ":" in address else []


@contextmanager
def wired(one: int, other: int) -> Iterator[None]:
    """Two taps, each of which gets what the other sends."""
    done = threading.Event()

    def pump() -> None:
        while not done.is_set():
            for ready in select.select([one, other], [], [], 0.05)[0]:
                with suppress(OSError):
                    os.write(other if ready == one else one, os.read(ready, 1 << 16))

    thread = threading.Thread(target=pump)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@contextmanager
def serving(
    name: str, port: int, answer: str, *, address: str = "0.0.0.0", udp: bool = False
) -> Iterator[None]:
    """A program in a namespace says this, and who has asked, to whoever connects."""
    with inside(name):
        server = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind(udp=udp))
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((address, port))
    thread = threading.Thread(target=answer_udp if udp else answer_tcp, args=(server, answer))
    with server:
        if not udp:
            server.listen()
        thread.start()
        try:
            yield
        finally:
            # Closing alone does not wake a thread that waits.
            with suppress(OSError):
                server.shutdown(socket.SHUT_RDWR)
            thread.join()


def answer_tcp(server: socket.socket, answer: str) -> None:
    with suppress(OSError):
        while True:
            connection, peer = server.accept()
            with connection:
                connection.sendall(f"{answer} {peer[0]}".encode())


def answer_udp(server: socket.socket, answer: str) -> None:
    with suppress(OSError):
        while True:
            data, peer = server.recvfrom(100)
            if not data:
                return
            server.sendto(f"{answer} {peer[0]}".encode(), peer)


def ask(name: str, address: str, port: int, *, udp: bool = False) -> str:
    """What a program in a namespace hears from there."""
    return heard(name, address, port, udp=udp).partition(" ")[0]


def seen_as(name: str, address: str, port: int) -> str:
    """As whom it is seen there."""
    return heard(name, address, port, udp=False).partition(" ")[2]


def heard(name: str, address: str, port: int, *, udp: bool) -> str:
    with inside(name):
        client = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind(udp=udp))
    with client:
        client.settimeout(PATIENCE_S)
        try:
            client.connect((address, port))
            if udp:
                client.send(b"?")
            return client.recv(100).decode()
        except OSError:
            return NOBODY.replace(" ", "-")


def kind(*, udp: bool) -> socket.SocketKind:
    return socket.SOCK_DGRAM if udp else socket.SOCK_STREAM
