"""TCP: what is dialed, what is served, and what the sockets are set to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import pytest

from plait.addresses import host_port, is_link_local, parse
from plait.exceptions import ListenError
from plait.transports import TcpTransport, interface_hosts, locate
from plait.transports.tcp import MAX_RESOLVED


class Ends(asyncio.Protocol):
    """The transport, as soon as there is one."""

    def __init__(self) -> None:
        self.made: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.lost: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.made.set_result(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set_result(exc)


def has_ip6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


def host_loopback(version: int) -> Any:
    return pytest.param(
        f"/ip{version}/{'127.0.0.1' if version == 4 else '::1'}/tcp/0",
        marks=[] if version == 4 or has_ip6() else [pytest.mark.skip("no IPv6 here")],
    )


@pytest.mark.parametrize("address", [host_loopback(4), host_loopback(6)])
async def test_both_ends_know_each_other_and_do_not_wait_to_fill_segments(address: str) -> None:
    transport, near, far = TcpTransport(), Ends(), Ends()
    listener = await transport.listen(parse(address), lambda: far)
    (bound,) = listener.addresses
    endpoint = host_port(bound)
    assert endpoint is not None
    assert endpoint.port != 0
    await transport.dial(bound, lambda: near)
    dialed, accepted = await near.made, await far.made
    assert locate(dialed.get_extra_info, "remote") == bound
    assert locate(accepted.get_extra_info, "local") == bound
    assert locate(dialed.get_extra_info, "local") == locate(accepted.get_extra_info, "remote")
    for end in (dialed, accepted):
        assert end.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    await listener.close()
    dialed.abort()
    accepted.abort()
    await near.lost
    await far.lost


async def test_a_closed_listener_takes_nobody_and_drops_nobody() -> None:
    transport, near, far = TcpTransport(), Ends(), Ends()
    listener = await transport.listen(parse("/ip4/127.0.0.1/tcp/0"), lambda: far)
    (bound,) = listener.addresses
    await transport.dial(bound, lambda: near)
    accepted = await far.made
    await listener.close()
    with pytest.raises(ConnectionRefusedError):
        await transport.dial(bound, Ends)
    assert not accepted.is_closing()
    (await near.made).abort()
    accepted.abort()
    await near.lost
    await far.lost


async def test_a_taken_port_is_a_listen_error_with_the_address() -> None:
    transport = TcpTransport()
    listener = await transport.listen(parse("/ip4/127.0.0.1/tcp/0"), Ends)
    (bound,) = listener.addresses
    with pytest.raises(ListenError) as caught:
        await transport.listen(bound, Ends)
    assert caught.value.address == str(bound)
    assert caught.value.errno
    await listener.close()


async def test_names_become_numeric_addresses_of_their_family() -> None:
    found = await TcpTransport().resolve(parse("/dns4/localhost/tcp/4001"))
    assert [str(each) for each in found] == ["/ip4/127.0.0.1/tcp/4001"]


async def test_a_name_cannot_stand_for_any_number_of_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    async def many(*args: Any, **kwargs: Any) -> list[Any]:
        return [(0, 0, 0, "", (f"10.0.{number}.1", 4001)) for number in range(200)]

    resolve(monkeypatch, many)
    found = await TcpTransport().resolve(parse("/dns/many.test/tcp/4001"))
    assert len(found) == MAX_RESOLVED
    assert str(found[0]) == "/ip4/10.0.0.1/tcp/4001"


async def test_repeated_and_mapped_results_are_one_address(monkeypatch: pytest.MonkeyPatch) -> None:
    async def twice(*args: Any, **kwargs: Any) -> list[Any]:
        return [(0, 0, 0, "", ("10.0.0.1", 1)), (0, 0, 0, "", ("::ffff:10.0.0.1", 1, 0, 0))]

    resolve(monkeypatch, twice)
    found = await TcpTransport().resolve(parse("/dns/twice.test/tcp/1"))
    assert [str(each) for each in found] == ["/ip4/10.0.0.1/tcp/1"]


async def test_an_unknown_name_is_an_os_error(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unknown(*args: Any, **kwargs: Any) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    resolve(monkeypatch, unknown)
    with pytest.raises(OSError, match="not known"):
        await TcpTransport().resolve(parse("/dns/no.test/tcp/1"))


async def test_numeric_addresses_need_no_resolver() -> None:
    address = parse("/ip4/10.0.0.1/tcp/1")
    assert await TcpTransport().resolve(address) == [address]


@pytest.mark.parametrize(
    ("address", "dial", "listen"),
    [
        ("/ip4/1.2.3.4/tcp/1", True, True),
        ("/ip6/::1/tcp/1", True, True),
        ("/dns/a.test/tcp/1", True, False),
        ("/dns4/a.test/tcp/1", True, False),
        ("/dns6/a.test/tcp/1", True, False),
        ("/ip4/1.2.3.4/udp/1", False, False),
        ("/ip4/1.2.3.4/tcp/1/ws", False, False),
        ("/ip4/1.2.3.4", False, False),
        ("/memory/1", False, False),
    ],
)
def test_only_plain_tcp_is_taken(address: str, dial: bool, listen: bool) -> None:
    transport = TcpTransport()
    assert transport.can_dial(parse(address)) is dial
    assert transport.can_listen(parse(address)) is listen


@pytest.mark.parametrize(("version", "loopback"), [(4, "127.0.0.1"), (6, "::1")])
def test_interfaces_begin_with_loopback_and_need_no_zone(version: int, loopback: str) -> None:
    hosts = interface_hosts(version)
    assert hosts[0] == loopback
    assert len(set(hosts)) == len(hosts)
    assert not any(is_link_local(f"/ip{version}/{host}/tcp/1") for host in hosts)


def test_a_socket_that_is_gone_has_an_unknown_address() -> None:
    assert str(locate(lambda name: None, "remote")) == "/ip4/0.0.0.0/tcp/0"


def resolve(monkeypatch: pytest.MonkeyPatch, answer: Callable[..., Any]) -> None:
    """Lets the running loop resolve names by `answer`; the loops themselves cannot be patched."""
    loop = asyncio.get_running_loop()

    class Resolving:
        getaddrinfo = staticmethod(answer)

        def __getattr__(self, name: str) -> Any:
            return getattr(loop, name)

    monkeypatch.setattr("plait.transports.tcp.asyncio.get_running_loop", Resolving)
