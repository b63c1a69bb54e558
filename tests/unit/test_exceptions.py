"""The error tree: codes, builtin parents, texts, and that every error survives pickling."""

import errno
import pickle

import pytest

from plait import exceptions
from plait.exceptions import (
    ConnectionClosedError,
    ConnectionLostError,
    DialAttempt,
    DialError,
    DialTimeoutError,
    InvalidMultiaddrError,
    LimitError,
    ListenError,
    PeerIdMismatchError,
    PlaitError,
    ProtocolNotSupportedError,
    StreamResetError,
)

CLASSES = [
    value
    for name in exceptions.__all__
    if isinstance(value := getattr(exceptions, name), type) and issubclass(value, BaseException)
]

BUILTIN_PARENTS = {
    "ConfigError": ValueError,
    "ConnectionLostError": ConnectionResetError,
    "DialTimeoutError": TimeoutError,
    "InvalidEnvelopeError": ValueError,
    "InvalidKeyError": ValueError,
    "InvalidMultiaddrError": ValueError,
    "InvalidPeerIdError": ValueError,
    "ListenError": OSError,
    "StreamResetError": ConnectionResetError,
}


@pytest.mark.parametrize("cls", CLASSES)
def test_message_alone_is_enough(cls):
    error = cls("what happened")
    assert str(error) == "what happened"
    assert error.args == ("what happened",)


@pytest.mark.parametrize("cls", CLASSES)
def test_pickles(cls):
    error = cls("what happened", layer="tcp", hint="try again")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is cls
    assert str(copy) == str(error) == "what happened (tcp); try again"
    assert vars(copy) == vars(error)


def test_codes_are_unique_and_stable():
    codes = {cls.__name__: cls.code for cls in CLASSES}
    assert len(set(codes.values())) == len(codes)
    for name, code in codes.items():
        words = "".join("-" + char if char.isupper() else char for char in name.removesuffix("Error"))
        assert code == "E" + words.upper()


def test_builtin_parents():
    for cls in CLASSES:
        expected = BUILTIN_PARENTS.get(cls.__name__)
        if expected is not None:
            assert issubclass(cls, expected)
        elif not any(issubclass(cls, parent) for parent in (ConnectionLostError, StreamResetError)):
            assert not issubclass(cls, ValueError | OSError)


def test_docstring_draws_every_class():
    for cls in CLASSES:
        assert cls.__name__ in exceptions.__doc__


def test_text_says_where_and_what_to_do():
    error = PlaitError("no answer", layer="noise", address="/ip4/1.2.3.4/tcp/5", hint="is it running?")
    assert str(error) == "no answer (noise, /ip4/1.2.3.4/tcp/5); is it running?"


def test_multiaddr_error_points_at_the_bad_component():
    error = InvalidMultiaddrError("unknown protocol 'tpc'", text="/ip4/1.2.3.4/tpc/80", position=13, length=3)
    assert str(error).splitlines() == [
        "unknown protocol 'tpc'",
        "  /ip4/1.2.3.4/tpc/80",
        "               ^^^",
    ]


def test_dial_error_lists_its_attempts():
    attempts = [
        DialAttempt("/ip4/10.0.0.1/tcp/1", "connect", ConnectionRefusedError("refused"), 0.25),
        DialAttempt("/ip4/10.0.0.2/tcp/1", "security", TimeoutError(), 10.0),
    ]
    error = DialError("could not dial", attempts=attempts)
    assert error.attempts == tuple(attempts)
    assert str(error).splitlines() == [
        "could not dial",
        "  /ip4/10.0.0.1/tcp/1: connect failed after 0.250 s: refused",
        "  /ip4/10.0.0.2/tcp/1: security failed after 10.000 s: TimeoutError",
    ]
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == str(error)


def test_unknown_protocol_suggests_look_alikes():
    error = ProtocolNotSupportedError(
        "the peer speaks none of them", offered=["/ipfs/pnig/1.0.0"], supported=["/ipfs/ping/1.0.0", "/x"]
    )
    assert error.suggestions == ("/ipfs/ping/1.0.0",)
    assert "did you mean /ipfs/ping/1.0.0?" in str(error)
    assert "the peer speaks: /ipfs/ping/1.0.0, /x" in str(error)


def test_unknown_protocol_stays_short_when_the_peer_lists_thousands():
    supported = [f"/p/{number}" for number in range(5000)]
    text = str(ProtocolNotSupportedError("no", offered=["/q"], supported=supported))
    assert text.endswith("and 4980 more")
    assert len(text) < 500


def test_listen_error_keeps_its_errno():
    error = ListenError("taken", errno=errno.EADDRINUSE, address="/ip4/127.0.0.1/tcp/80")
    copy = pickle.loads(pickle.dumps(error))
    assert copy.errno == error.errno == errno.EADDRINUSE
    assert str(copy) == "taken (/ip4/127.0.0.1/tcp/80)"


def test_attributes():
    lost = ConnectionLostError("gone", reason="keep-alive", error_code=3, remote=True)
    assert isinstance(lost, ConnectionClosedError)
    assert (lost.reason, lost.error_code, lost.remote) == ("keep-alive", 3, True)
    limit = LimitError("full", limit="dials", scope="host", current=8, maximum=8)
    assert (limit.limit, limit.scope, limit.current, limit.maximum) == ("dials", "host", 8, 8)
    mismatch = PeerIdMismatchError("not them", expected=None, actual=None, stage="security")
    assert mismatch.stage == "security"
    assert DialTimeoutError("late", attempts=()).attempts == ()
