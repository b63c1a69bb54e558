"""Timeouts and limits as settings, and the counters that enforce them."""

import dataclasses
import math

import pytest

from plait.exceptions import ConfigError, LimitError
from plait.limits import AdmissionControl, Limits, Quota, Timeouts, TokenBucket, network_of


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def control(clock, **limits):
    return AdmissionControl(Limits(**limits), Timeouts(), clock)


def never():
    raise AssertionError("evicted")


@pytest.mark.parametrize("cls", [Timeouts, Limits])
def test_every_setting_must_be_a_positive_number(cls):
    for field in dataclasses.fields(cls):
        for bad in (0, -1, math.nan, math.inf, "1", None, True):
            with pytest.raises(ConfigError, match=field.name):
                cls(**{field.name: bad})


def test_counts_must_be_whole():
    with pytest.raises(ConfigError, match="connections"):
        Limits(connections=900.5)
    assert Limits(inbound_rate=0.5).inbound_rate == 0.5
    assert Timeouts(close=1).close == 1


@pytest.mark.parametrize(
    "settings",
    [
        {"inbound_connections": 901},
        {"dials_per_peer": 101},
        {"negotiating_streams": 1025},
        {"stream_window": 65 << 20},
        {"connection_buffer": 257 << 20},
        {"addresses_per_absent_peer": 101},
        {"tracked_addresses": 799},
    ],
)
def test_limits_that_contradict_each_other(settings):
    with pytest.raises(ConfigError, match="never be reached"):
        Limits(**settings)


@pytest.mark.parametrize("settings", [{"tcp_connect": 16.0}, {"dial_address": 31.0}, {"close": 6.0}])
def test_timeouts_that_contradict_each_other(settings):
    with pytest.raises(ConfigError, match="longer than"):
        Timeouts(**settings)


def test_quota():
    quota = Quota("dials", 2, scope="host")
    quota.acquire()
    assert not quota.is_full
    quota.acquire()
    assert quota.is_full
    with pytest.raises(LimitError) as caught:
        quota.acquire()
    error = caught.value
    assert (error.limit, error.scope, error.current, error.maximum) == ("dials", "host", 2, 2)
    quota.release()
    quota.acquire()
    assert quota.used == 2


def test_quota_notices_a_release_too_many():
    with pytest.raises(RuntimeError, match="dials"):
        Quota("dials", 2).release()


def test_token_bucket(clock):
    bucket = TokenBucket(2.0, 4, clock)
    assert [bucket.take() for _ in range(5)] == [True] * 4 + [False]
    clock.now += 0.49
    assert not bucket.take()
    clock.now += 0.01
    assert bucket.take()
    assert not bucket.take()
    clock.now += 100
    assert bucket.is_full
    assert not bucket.take(4.5)
    assert bucket.take(4.0)


def test_token_bucket_survives_a_clock_that_goes_back(clock):
    bucket = TokenBucket(1.0, 2, clock)
    assert bucket.take()
    clock.now -= 50
    assert bucket.take()
    assert not bucket.take()


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("1.2.3.4", b"\x01\x02\x03\x04"),
        ("::ffff:1.2.3.4", b"\x01\x02\x03\x04"),
        ("2001:db8:1:22ff::1", bytes.fromhex("20010db8000122")),
        ("2001:db8:1:2201::2", bytes.fromhex("20010db8000122")),
        ("fe80::1%eth0", bytes.fromhex("fe800000000000")),
        ("127.0.0.1", None),
        ("127.9.9.9", None),
        ("::ffff:127.0.0.1", None),
        ("::1", None),
        ("somewhere", None),
        (None, None),
    ],
)
def test_what_counts_as_one_address(host, network):
    assert network_of(host) == network


def test_connections_per_address(clock):
    admissions = control(clock)
    held = []
    for _ in range(8):
        held.append(admissions.admit("1.2.3.4", never))
        held[-1].upgraded()
    with pytest.raises(LimitError) as caught:
        admissions.admit("1.2.3.4", never)
    assert (caught.value.limit, caught.value.scope) == ("connections_per_address", "1.2.3.4")
    admissions.admit("1.2.3.5", never)
    held[0].release()
    admissions.admit("1.2.3.4", never)


def test_handshakes_per_address(clock):
    admissions = control(clock)
    held = [admissions.admit("1.2.3.4", never) for _ in range(4)]
    with pytest.raises(LimitError, match="handshakes_per_address"):
        admissions.admit("1.2.3.4", never)
    held[0].upgraded()
    admissions.admit("1.2.3.4", never)


def test_rate_per_address(clock):
    admissions = control(clock)
    for _ in range(16):
        admissions.admit("1.2.3.4", never).release()
    with pytest.raises(LimitError, match="inbound_burst"):
        admissions.admit("1.2.3.4", never)
    clock.now += 1.0
    admissions.admit("1.2.3.4", never).release()
    with pytest.raises(LimitError):
        admissions.admit("1.2.3.4", never)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", None])
def test_loopback_is_exempt_from_limits_by_address_only(clock, host):
    admissions = control(clock, inbound_connections=30, connections=30)
    for _ in range(30):
        admissions.admit(host, never)
    with pytest.raises(LimitError) as caught:
        admissions.admit(host, never)
    assert caught.value.limit == "inbound_connections"


def test_a_refusal_takes_nothing(clock):
    admissions = control(clock, inbound_connections=1, connections_per_address=1)
    held = admissions.admit("1.2.3.4", never)
    for host in ("1.2.3.4", "5.6.7.8", None):
        with pytest.raises(LimitError):
            admissions.admit(host, never)
    held.release()
    assert admissions.connections == admissions.handshakes == 0
    admissions.admit("5.6.7.8", never)


def test_handshakes_are_not_evicted_during_their_grace(clock):
    admissions = control(clock, handshakes=4)
    for _ in range(4):
        admissions.admit(None, never)
    clock.now += 0.9
    with pytest.raises(LimitError) as caught:
        admissions.admit(None, never)
    assert caught.value.limit == "handshakes"


def test_oldest_handshake_makes_room(clock):
    admissions = control(clock, handshakes=4)
    evicted = []
    held = []
    for number in range(4):
        held.append(admissions.admit(None, lambda number=number: evicted.append(number)))
        clock.now += 0.1
    held[0].upgraded()
    admissions.admit(None, never)
    clock.now += 1.0
    admissions.admit(None, never)
    assert evicted == [1]
    assert admissions.handshakes == 4
    assert admissions.connections == 5
    held[0].evict()
    assert evicted == [1]
    # Whoever was evicted finds out and lets go again, which must not count twice.
    held[1].release()
    assert admissions.connections == 5


def test_nobody_is_evicted_for_a_connection_that_is_refused(clock):
    admissions = control(clock, handshakes=4, inbound_connections=4)
    for _ in range(4):
        admissions.admit(None, never)
    clock.now += 2.0
    with pytest.raises(LimitError, match="inbound_connections"):
        admissions.admit(None, never)


def test_eviction_may_release_by_itself(clock):
    admissions = control(clock, handshakes=4)
    first = admissions.admit(None, lambda: first.release())
    for _ in range(3):
        admissions.admit(None, never)
    clock.now += 2.0
    admissions.admit(None, never)
    assert admissions.connections == 4


def test_release_twice_counts_once(clock):
    admissions = control(clock)
    one, two = admissions.admit("1.2.3.4", never), admissions.admit("1.2.3.4", never)
    one.release()
    one.release()
    one.upgraded()
    assert (admissions.connections, admissions.handshakes) == (1, 1)
    two.release()
    assert (admissions.connections, admissions.handshakes) == (0, 0)


def test_forgotten_addresses_cost_nothing(clock):
    admissions = control(clock)
    for number in range(100):
        admissions.admit(f"10.0.0.{number}", never).release()
    held = admissions.admit("10.1.0.0", never)
    clock.now += 60
    for number in range(60):
        admissions.admit(f"10.2.0.{number}", never).release()
    # The hundred are gone, the sixty are still owed their rate, and one is still connected.
    assert admissions.tracked_addresses == 61
    held.release()


def test_remembered_addresses_are_bounded(clock):
    admissions = control(clock, tracked_addresses=50, inbound_connections=50)
    held = admissions.admit("10.1.0.0", never)
    for number in range(200):
        admissions.admit(f"10.0.0.{number}", never).release()
    assert admissions.tracked_addresses == 50
    for _ in range(7):
        admissions.admit("10.1.0.0", never).upgraded()
    with pytest.raises(LimitError, match="connections_per_address"):
        admissions.admit("10.1.0.0", never)
    held.release()
