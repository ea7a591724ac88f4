# SPDX-License-Identifier: Apache-2.0
"""The tap that takes all traffic of the container's interface to the guest and back.

`find` and `attach` run in the container's network namespace after the pivot, where nothing can be opened by
its path any more; so `open_tun` comes before, in the same namespace. `detach` enters a namespace that has
outlived its container.
"""

from __future__ import annotations

import _socket
import _struct
import fcntl
import posix
from errno import EAFNOSUPPORT, EBUSY, EINVAL, ENODEV, ENOENT

from urunc.errors import HostError
from urunc.host import netlink
from urunc.host.interface import Interface, Link, find, links
from urunc.host.netlink import Request, Socket
from urunc.host.syscalls import CLONE_NEWNET, setns
from urunc.machine import Network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["TAP", "Interface", "Socket", "attach", "detach", "find", "open_tun"]

TAP = "tap0_urunc"

# if_tun.h
_TUNSETIFF, _TUNSETPERSIST, _TUNSETOWNER, _TUNSETGROUP = 0x400454CA, 0x400454CB, 0x400454CC, 0x400454CE
_IFF_TAP, _IFF_NO_PI, _IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
_NOTHING_THERE = (ENOENT, EINVAL, ENODEV)


def open_tun() -> int:
    """A descriptor that can become a tap, but only in the network namespace in which it is opened."""
    try:
        return posix.open("/dev/net/tun", posix.O_RDWR | posix.O_CLOEXEC)
    except OSError as error:
        failure = HostError("open /dev/net/tun", error)
        failure.hint = "the guest's network needs the kernel's tun driver: modprobe tun"
        raise failure from error


def attach(
    interface: Interface, tun: int, *, container: str, persistent: bool, uid: int, gid: int
) -> Network:
    """Make the tap and join it to the interface, so that the guest can be what the interface was.

    A monitor that takes a descriptor gets the tap's, with virtio headers, and the tap ends with it. One that
    opens the tap by its name needs it persistent and its own. An earlier tap that nobody uses is taken over.
    """
    _make_tap(tun, interface.name, 0 if persistent else _IFF_VNET_HDR)
    with Socket() as socket:
        socket.send(_join(interface, _socket.if_nametoindex(TAP), container))
    # Last, so that a tap that could not be joined goes with its descriptor.
    _give(tun, persistent=persistent, uid=uid, gid=gid)
    return Network(
        TAP, interface.mac, interface.address, interface.prefix, interface.gateway, interface.mtu,
        fd=-1 if persistent else tun,
    )  # fmt: skip


def detach(namespace: str, container: str) -> None:
    """Remove what `attach` left in a network namespace; nothing there, or no namespace any more, is fine.

    For a caller with one thread: it enters the namespace just to open a socket, which stays there.
    """
    socket = _open_in(namespace)
    if socket is None:
        return
    with socket:
        found = links(socket)
        taps = [link for link in found if link.name == TAP]
        # If another container has been started in this namespace, tap and redirection are that one's.
        if all(tap.alias == container for tap in taps):
            _stop_redirecting(socket, found)
            socket.send([_removal(tap) for tap in taps])


def _make_tap(tun: int, interface: str, header: int) -> None:
    flags = _IFF_TAP | _IFF_NO_PI | header
    try:
        fcntl.ioctl(tun, _TUNSETIFF, _struct.pack("16sH22x", TAP.encode(), flags))
    except OSError as error:
        failure = HostError(f"make {TAP} for {interface}", error)
        if error.errno == EBUSY:
            failure.hint = "another unikernel runs in this network namespace, which has room for one"
        raise failure from error


def _give(tun: int, *, persistent: bool, uid: int, gid: int) -> None:
    try:
        fcntl.ioctl(tun, _TUNSETOWNER, uid)
        fcntl.ioctl(tun, _TUNSETGROUP, gid)
        fcntl.ioctl(tun, _TUNSETPERSIST, int(persistent))
    except OSError as error:
        raise HostError(f"give {TAP} to user {uid} and group {gid}", error) from error


def _join(interface: Interface, tap: int, container: str) -> list[Request]:
    changes = (netlink.mtu(interface.mtu), netlink.alias(container))
    plain = netlink.link(tap, netlink.no_ipv6_address())
    return [
        # Before it comes up; a kernel without IPv6 has nothing to prevent.
        Request(netlink.RTM_NEWLINK, plain, f"keep {TAP} without an address", tolerated=(EAFNOSUPPORT,)),
        Request(netlink.RTM_NEWLINK, netlink.link(tap, *changes, up=True), f"set up {TAP}"),
        Request(netlink.RTM_NEWLINK, netlink.link(interface.index, up=True), f"set up {interface.name}"),
        *_redirect(tap, TAP, interface.index, interface.name),
        *_redirect(interface.index, interface.name, tap, TAP),
    ]


def _redirect(index: int, name: str, target: int, target_name: str) -> list[Request]:
    """Replaces what a container that was killed has left: a filter that points at no device."""
    replace = netlink.NLM_F_CREATE | netlink.NLM_F_REPLACE
    create = netlink.NLM_F_CREATE | netlink.NLM_F_EXCL
    doing = f"redirect {name} to {target_name}"
    return [
        Request(netlink.RTM_NEWQDISC, netlink.ingress(index), f"{doing}: add the ingress qdisc", replace),
        Request(netlink.RTM_DELTFILTER, netlink.our_filter(index), doing, tolerated=_NOTHING_THERE),
        Request(netlink.RTM_NEWTFILTER, netlink.redirect(index, target), doing, create),
    ]


def _stop_redirecting(socket: Socket, links: Sequence[Link]) -> None:
    """Only where a filter of ours was there does the qdisc go too."""
    filters = [
        Request(
            netlink.RTM_DELTFILTER, netlink.our_filter(link.index),
            f"stop redirecting {link.name}", tolerated=_NOTHING_THERE,
        )
        for link in links
    ]  # fmt: skip
    redirected = [link for link, done in zip(links, socket.send(filters), strict=True) if done]
    socket.send([
        Request(
            netlink.RTM_DELQDISC, netlink.ingress(link.index),
            f"remove the ingress qdisc of {link.name}", tolerated=_NOTHING_THERE,
        )
        for link in redirected
    ])  # fmt: skip


def _removal(tap: Link) -> Request:
    return Request(netlink.RTM_DELLINK, netlink.link(tap.index), f"remove {tap.name}", tolerated=(ENODEV,))


def _open_in(namespace: str) -> Socket | None:
    """A socket in another network namespace; None where the path does not lead to one any more."""
    try:
        target = _open(namespace)
    except FileNotFoundError:
        return None
    try:
        return _open_at(target)
    finally:
        posix.close(target)


def _open_at(target: int) -> Socket | None:
    home = _open("/proc/self/ns/net")
    try:
        setns(target, CLONE_NEWNET)
        try:
            return Socket()
        finally:
            setns(home, CLONE_NEWNET)
    except OSError as error:
        if error.errno == EINVAL:
            return None
        raise HostError("enter the container's network namespace", error) from error
    finally:
        posix.close(home)


def _open(path: str) -> int:
    return posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC | posix.O_NONBLOCK)
