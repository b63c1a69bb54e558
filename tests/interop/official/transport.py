"""plait in the shape of libp2p's official transport test: one side of it, told by its environment.

The listener leaves its address with Redis and stays until it is stopped; the dialer takes it from there,
connects, pings once and prints how long that took. `TEST_KEY` tells the new form of the test
(https://github.com/libp2p/unified-testing) from the old one (https://github.com/libp2p/test-plans).

Standard output has nothing but the dialer's result. An error is one line on standard error, and status 1.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import logging
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as NoRedisError
from redis.exceptions import RedisError

import plait
from plait import upgrade
from plait.protocols import ping

# What a listen address has after its port.
TRANSPORTS = {"tcp": "", "ws": "/ws"}
SECURITY = {"noise": upgrade.NOISE, "tls": upgrade.TLS}
MUXERS = {"yamux": upgrade.YAMUX, "mplex": upgrade.MPLEX}

# The default of the old form, and how long the new one's runner waits.
TIMEOUT = 180.0
# Both containers are started together with Redis, or right after it.
REDIS_START = 10.0
REDIS_INTERVAL = 0.2
REDIS_PORT = 6379
# Where the old form leaves the address; the new one puts the test's key before it.
OLD_LIST = "listenerAddr"
NEW_LIST = "{key}_listener_multiaddr"


def main() -> int:
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING)
    try:
        settings = read(os.environ)
        if settings.debug:
            logging.getLogger().setLevel(logging.DEBUG)
        plait.run(dial(settings) if settings.is_dialer else listen(settings))
    except (TestError, plait.PlaitError, RedisError, OSError) as error:
        print("transport:", *str(error).split(), file=sys.stderr)
        return 1
    return 0


class TestError(Exception):
    """The test cannot be run, or failed; the text says why."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One side of the test. `timeout` is in seconds; 0 lets a listener stay for ever."""

    is_new: bool
    is_dialer: bool
    transport: str
    security: str
    muxer: str
    ip: str
    redis_host: str
    redis_port: int
    list_name: str
    timeout: float
    debug: bool


# --- the environment ---------------------------------------------------------------------------------------


def read(environment: Mapping[str, str]) -> Settings:
    """Raises `TestError` when something is missing, or is nothing that plait speaks."""
    key = environment.get("TEST_KEY", "")
    is_new = key != ""
    names = NEW_NAMES if is_new else OLD_NAMES

    def value(what: str, default: str | None = None) -> str:
        found = environment.get(names[what], "") or default
        if found is None:
            raise TestError(f"{names[what]} is not set")
        return found

    def one_of(what: str, known: Mapping[str, str]) -> str:
        found = value(what)
        if found not in known:
            raise TestError(f"{names[what]} is {found!r}; plait speaks {', '.join(known)}")
        return found

    def flag(what: str, default: str | None = None) -> bool:
        found = value(what, default)
        if found not in ("true", "false"):
            raise TestError(f"{names[what]} is {found!r}, neither true nor false")
        return found == "true"

    is_dialer = flag("is_dialer")
    host, port = endpoint(value("redis", f"redis:{REDIS_PORT}"))
    return Settings(
        is_new=is_new,
        is_dialer=is_dialer,
        transport=one_of("transport", TRANSPORTS),
        security=SECURITY[one_of("security", SECURITY)],
        muxer=MUXERS[one_of("muxer", MUXERS)],
        ip=value("ip", "0.0.0.0"),
        redis_host=host,
        redis_port=port,
        list_name=NEW_LIST.format(key=key) if is_new else OLD_LIST,
        timeout=TIMEOUT if is_new else seconds(value("timeout", str(TIMEOUT))),
        debug=flag("debug", "false") if is_new else False,
    )


OLD_NAMES = {
    "transport": "transport",
    "security": "security",
    "muxer": "muxer",
    "is_dialer": "is_dialer",
    "ip": "ip",
    "redis": "redis_addr",
    "timeout": "test_timeout_seconds",
}
NEW_NAMES = {
    "transport": "TRANSPORT",
    "security": "SECURE_CHANNEL",
    "muxer": "MUXER",
    "is_dialer": "IS_DIALER",
    "ip": "LISTENER_IP",
    "redis": "REDIS_ADDR",
    "debug": "DEBUG",
}


def endpoint(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host:
        return text, REDIS_PORT
    if not port.isdecimal():
        raise TestError(f"the address of Redis is {text!r}, not host:port")
    return host, int(port)


def seconds(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found < float("inf"):
        raise TestError(f"test_timeout_seconds is {text!r}, no number of seconds")
    return found


# --- the two sides -----------------------------------------------------------------------------------------


async def listen(settings: Settings) -> None:
    """Until SIGTERM or Ctrl-C; in the old form no longer than its timeout, which is a failure."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    where = f"{prefix(settings.ip)}/tcp/0{TRANSPORTS[settings.transport]}"
    async with redis(settings) as client, host(settings, (where,)) as listener:
        address = reachable([str(each) for each in listener.addresses])
        if settings.is_new:
            # What an earlier run left there may not even be a list.
            await client.delete(settings.list_name)
        await client.rpush(settings.list_name, address)
        logging.info("listening on %s", address)
        try:
            async with asyncio.timeout(None if settings.is_new else settings.timeout):
                await stop.wait()
        except TimeoutError:
            raise TestError(f"nobody stopped the listener within {settings.timeout:g} s") from None


async def dial(settings: Settings) -> None:
    try:
        async with asyncio.timeout(settings.timeout):
            async with redis(settings) as client, host(settings, ()) as dialer:
                address = await take_address(client, settings)
                logging.info("dialing %s", address)
                start = time.perf_counter()
                connection = await dialer.connect(address)
                (round_trip,) = [each async for each in ping(connection, count=1)]
                report(settings, time.perf_counter() - start, round_trip)
    except TimeoutError as error:
        if isinstance(error, plait.PlaitError):
            raise
        raise TestError(f"not done within {settings.timeout:g} s") from None


async def take_address(client: Redis, settings: Settings) -> str:
    # Without an end of its own: the test's timeout is around it.
    found = await client.blpop([settings.list_name], timeout=0)
    if found is None:
        raise TestError(f"Redis gave up waiting for {settings.list_name}")
    return str(found[1])


def report(settings: Settings, handshake_plus_one_rtt: float, ping_rtt: float) -> None:
    """Seconds in, milliseconds out."""
    whole, single = round(handshake_plus_one_rtt * 1e3, 3), round(ping_rtt * 1e3, 3)
    if settings.is_new:
        print(f"latency:\n  handshake_plus_one_rtt: {whole}\n  ping_rtt: {single}\n  unit: ms", flush=True)
    else:
        # The second name has three l's; those who read it look for exactly that.
        print(json.dumps({"handshakePlusOneRTTMillis": whole, "pingRTTMilllis": single}), flush=True)


def host(settings: Settings, where: tuple[str, ...]) -> plait.Host:
    config = plait.HostConfig(security=[settings.security], muxers=[settings.muxer])
    return plait.Host(listen=where, config=config)


def prefix(ip: str) -> str:
    try:
        return f"/ip{ipaddress.ip_address(ip).version}/{ip}"
    except ValueError:
        raise TestError(f"{ip!r} is no IP address to listen on") from None


def reachable(addresses: list[str]) -> str:
    """The first that other machines can dial; loopback when there is no other."""
    beyond = [each for each in addresses if not ipaddress.ip_address(each.split("/")[2]).is_loopback]
    return (beyond or addresses)[0]


@contextlib.asynccontextmanager
async def redis(settings: Settings) -> AsyncIterator[Redis]:
    """A client whose server has answered.

    Raises `TestError` when none does in time.
    """
    client = Redis(
        host=settings.redis_host,
        port=settings.redis_port,
        decode_responses=True,
        # The dialer waits for the listener in one long command.
        socket_timeout=None,
        retry=Retry(NoBackoff(), 0),
    )
    async with client:
        patience = min(REDIS_START, settings.timeout)
        end = time.monotonic() + patience
        while True:
            try:
                await client.ping()
                break
            except NoRedisError as error:
                if time.monotonic() > end:
                    where = f"{settings.redis_host}:{settings.redis_port}"
                    raise TestError(f"no Redis at {where} within {patience:g} s: {error}") from None
            await asyncio.sleep(REDIS_INTERVAL)
        yield client


if __name__ == "__main__":
    sys.exit(main())
