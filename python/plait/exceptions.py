"""Every error that plait raises.

::

    PlaitError
    ├── ConfigError (ValueError)               a setting, or settings that contradict each other
    ├── IdentityError
    │   ├── InvalidKeyError (ValueError)       a key or a key file that cannot be used
    │   ├── InvalidPeerIdError (ValueError)    text or bytes that are no peer id
    │   └── InvalidEnvelopeError (ValueError)  a signed envelope or record that proves nothing
    ├── InvalidMultiaddrError (ValueError)     the text, with a caret under the bad component
    ├── DialError                              .peer .attempts
    │   ├── NoAddressError                     nothing to dial
    │   ├── DialRefusedError                   we chose not to dial: gater or back-off
    │   ├── DialTimeoutError (TimeoutError)    the time for the whole dial was up
    │   └── WrongPeerError (PeerIdMismatchError)   somebody else answered wherever anybody did
    ├── ListenError (OSError)
    ├── UpgradeError                           .stage
    │   ├── NegotiationError                   .offered
    │   │   └── ProtocolNotSupportedError      .supported, with "did you mean"
    │   ├── PrivateNetworkError                another network's key at the other end, or none
    │   └── SecurityError
    │       ├── HandshakeError
    │       └── PeerIdMismatchError            .expected .actual
    ├── ConnectionClosedError                  .reason .error_code .remote
    │   └── ConnectionLostError (ConnectionResetError)     no orderly end
    ├── StreamError
    │   ├── StreamResetError (ConnectionResetError)        .error_code .remote, cause = why
    │   ├── StreamClosedError                  we closed it and used it again
    │   └── ConcurrencyError                   two readers or two writers
    ├── ProtocolError
    │   ├── LocalProtocolError                 we asked for something the protocol forbids
    │   └── RemoteProtocolError                .error_code
    └── LimitError                             .limit .scope .current .maximum

Five causes stay apart: misuse by the local program, a violation by the peer, a failed proof of
identity or integrity, a limit, and an end.

Each class has a stable ``code`` ("E-…") for logs and for programs that match on it. Every class can
be raised with its message alone; what else is known goes into keyword arguments and stays readable
as an attribute. ``str(error)`` says what happened, where, and what to do next. All of them pickle.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, TypedDict, Unpack

if TYPE_CHECKING:
    from plait.identity import PeerId

__all__ = [
    "ConcurrencyError",
    "ConfigError",
    "ConnectionClosedError",
    "ConnectionLostError",
    "DialAttempt",
    "DialError",
    "DialRefusedError",
    "DialTimeoutError",
    "HandshakeError",
    "IdentityError",
    "InvalidEnvelopeError",
    "InvalidKeyError",
    "InvalidMultiaddrError",
    "InvalidPeerIdError",
    "LimitError",
    "ListenError",
    "LocalProtocolError",
    "NegotiationError",
    "NoAddressError",
    "PeerIdMismatchError",
    "PlaitError",
    "PrivateNetworkError",
    "ProtocolError",
    "ProtocolNotSupportedError",
    "RemoteProtocolError",
    "SecurityError",
    "StreamClosedError",
    "StreamError",
    "StreamResetError",
    "UpgradeError",
    "WrongPeerError",
]


class Where(TypedDict, total=False):
    """Keywords that every error takes besides its own."""

    layer: str | None
    address: str | None
    hint: str | None


class PlaitError(Exception):
    """Root of every error that plait raises on purpose.

    Attributes:
        message: what happened and why.
        layer: the part that failed: ``"tcp"``, ``"noise"``, ``"yamux"``, …
        address: the address it happened on, as text.
        hint: what the reader can do next.
    """

    code: ClassVar[str] = "E-PLAIT"

    def __init__(
        self,
        message: str = "",
        *,
        layer: str | None = None,
        address: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.layer = layer
        self.address = address
        self.hint = hint

    def __str__(self) -> str:
        where = ", ".join(part for part in (self.layer, self.address) if part)
        text = f"{self.message} ({where})" if where else self.message
        return f"{text}; {self.hint}" if self.hint else text


class ConfigError(PlaitError, ValueError):
    """A setting is wrong, or two settings contradict each other."""

    code = "E-CONFIG"


# Identity and addresses


class IdentityError(PlaitError):
    """A key, a peer id or a signature cannot be used."""

    code = "E-IDENTITY"


class InvalidKeyError(IdentityError, ValueError):
    """The bytes or the file hold no key that we can use."""

    code = "E-INVALID-KEY"


class InvalidPeerIdError(IdentityError, ValueError):
    """The text or the bytes are no peer id."""

    code = "E-INVALID-PEER-ID"


class InvalidEnvelopeError(IdentityError, ValueError):
    """A signed envelope, or the record in it, is malformed, wrongly signed or about someone else."""

    code = "E-INVALID-ENVELOPE"


class InvalidMultiaddrError(PlaitError, ValueError):
    """The text or the bytes are no multiaddr that we understand.

    With ``text`` and ``position`` the message shows the text and a caret under the bad component.

    Attributes:
        text: the address as it was given.
        position: index of the bad component's first character in ``text``.
        length: how many characters the bad component has.
    """

    code = "E-INVALID-MULTIADDR"

    def __init__(
        self,
        message: str = "",
        *,
        text: str | None = None,
        position: int | None = None,
        length: int = 1,
        **where: Unpack[Where],
    ) -> None:
        super().__init__(message, **where)
        self.text = text
        self.position = position
        self.length = length

    def __str__(self) -> str:
        if self.text is None or self.position is None:
            return super().__str__()
        carets = " " * self.position + "^" * max(1, self.length)
        return f"{super().__str__()}\n  {self.text}\n  {carets}"


# Dialing and listening


@dataclass(frozen=True, slots=True)
class DialAttempt:
    """What became of one address during a dial.

    Attributes:
        address: the address as text.
        stage: how far it came: ``"resolve"``, ``"connect"``, ``"security"``, ``"muxer"``, …
        error: what ended it.
        seconds: how long it took.
    """

    address: str
    stage: str
    error: BaseException
    seconds: float

    def __str__(self) -> str:
        # Some errors of the standard library have no text at all; their name still says something.
        why = str(self.error).partition("\n")[0] or type(self.error).__name__
        return f"{self.address}: {self.stage} failed after {self.seconds:.3f} s: {why}"


class DialError(PlaitError):
    """No address of a peer led to a connection.

    Attributes:
        peer: whom we dialed, if known.
        attempts: one record per address that was tried, in the order in which they ended.
    """

    code = "E-DIAL"

    def __init__(
        self,
        message: str = "",
        *,
        peer: PeerId | None = None,
        attempts: Iterable[DialAttempt] = (),
        **where: Unpack[Where],
    ) -> None:
        super().__init__(message, **where)
        self.peer = peer
        self.attempts = tuple(attempts)

    def __str__(self) -> str:
        return "\n  ".join([super().__str__(), *map(str, self.attempts)])


class NoAddressError(DialError):
    """We know no address of the peer that we could dial."""

    code = "E-NO-ADDRESS"


class DialRefusedError(DialError):
    """We did not dial: the gater forbids it, or the last failure is too recent."""

    code = "E-DIAL-REFUSED"


class DialTimeoutError(DialError, TimeoutError):
    """The time allowed for the whole dial was up."""

    code = "E-DIAL-TIMEOUT"


class ListenError(PlaitError, OSError):
    """An address could not be listened on.

    ``errno`` is that of the operating system's error when there was one.
    """

    code = "E-LISTEN"

    def __init__(self, message: str = "", *, errno: int | None = None, **where: Unpack[Where]) -> None:
        super().__init__(message, **where)
        self.errno = errno

    def __reduce__(self) -> tuple[object, ...]:
        # OSError keeps errno outside the instance's dict, so the inherited form would lose it.
        return (type(self), (self.message,), {**self.__dict__, "errno": self.errno})


# Upgrade: from raw bytes to a connection


class UpgradeError(PlaitError):
    """Raw bytes could not be made into a connection.

    Attributes:
        stage: ``"security"``, ``"muxer"`` or another step of the upgrade.
    """

    code = "E-UPGRADE"

    def __init__(self, message: str = "", *, stage: str | None = None, **where: Unpack[Where]) -> None:
        super().__init__(message, **where)
        self.stage = stage


class NegotiationError(UpgradeError):
    """No protocol could be agreed on.

    Attributes:
        offered: the protocols that the dialer proposed, in its order.
    """

    code = "E-NEGOTIATION"

    def __init__(
        self,
        message: str = "",
        *,
        offered: Iterable[str] = (),
        stage: str | None = None,
        **where: Unpack[Where],
    ) -> None:
        super().__init__(message, stage=stage, **where)
        self.offered = tuple(offered)


class ProtocolNotSupportedError(NegotiationError):
    """The peer speaks none of the protocols that we offered.

    Attributes:
        supported: what the peer speaks as far as we know; empty when it did not say.
    """

    code = "E-PROTOCOL-NOT-SUPPORTED"

    def __init__(
        self,
        message: str = "",
        *,
        offered: Iterable[str] = (),
        supported: Iterable[str] = (),
        stage: str | None = None,
        **where: Unpack[Where],
    ) -> None:
        super().__init__(message, offered=offered, stage=stage, **where)
        self.supported = tuple(supported)

    @property
    def suggestions(self) -> tuple[str, ...]:
        """Protocols of the peer that look like one of those we offered, the likeliest first."""
        return _look_alikes(self.offered, self.supported)

    def __str__(self) -> str:
        text = super().__str__()
        if self.suggestions:
            text += f"; did you mean {' or '.join(self.suggestions)}?"
        if self.supported:
            shown = ", ".join(self.supported[:SHOWN_PROTOCOLS])
            more = len(self.supported) - SHOWN_PROTOCOLS
            text += f"\n  the peer speaks: {shown}" + (f" and {more} more" if more > 0 else "")
        return text


class PrivateNetworkError(UpgradeError):
    """The peer is not in our private network: it has another key, or none. It was told nothing."""

    code = "E-PRIVATE-NETWORK"


class SecurityError(UpgradeError):
    """The secure channel could not be made."""

    code = "E-SECURITY"


class HandshakeError(SecurityError):
    """The cryptographic handshake failed. What exactly failed is never told to the peer."""

    code = "E-HANDSHAKE"


class PeerIdMismatchError(SecurityError):
    """Somebody else answered than the peer we dialed.

    Attributes:
        expected: whom we dialed.
        actual: who answered and proved it.
    """

    code = "E-PEER-ID-MISMATCH"

    def __init__(
        self,
        message: str = "",
        *,
        expected: PeerId | None = None,
        actual: PeerId | None = None,
        stage: str | None = None,
        **where: Unpack[Where],
    ) -> None:
        super().__init__(message, stage=stage, **where)
        self.expected = expected
        self.actual = actual


class WrongPeerError(DialError, PeerIdMismatchError):
    """A dial in which somebody else answered, wherever anybody answered at all.

    It is both: a dial that failed, with its `attempts`, and a mismatch, with `expected` and `actual`.
    """

    code = "E-WRONG-PEER"

    def __init__(
        self,
        message: str = "",
        *,
        peer: PeerId | None = None,
        attempts: Iterable[DialAttempt] = (),
        expected: PeerId | None = None,
        actual: PeerId | None = None,
        stage: str | None = None,
        **where: Unpack[Where],
    ) -> None:
        super().__init__(message, peer=peer, attempts=attempts, **where)
        self.expected = expected
        self.actual = actual
        self.stage = stage


# Ends


class ConnectionClosedError(PlaitError):
    """The connection has ended in an orderly way.

    Attributes:
        reason: why, in words.
        error_code: the code that was sent or received with the end; 0 means a normal close.
        remote: whether the peer ended it; ``None`` when nobody can tell.
    """

    code = "E-CONNECTION-CLOSED"

    def __init__(
        self,
        message: str = "",
        *,
        reason: str | None = None,
        error_code: int | None = None,
        remote: bool | None = None,
        **where: Unpack[Where],
    ) -> None:
        super().__init__(message, **where)
        self.reason = reason
        self.error_code = error_code
        self.remote = remote


class ConnectionLostError(ConnectionClosedError, ConnectionResetError):
    """The connection ended without an orderly close: lost socket, missed keep-alive, violation."""

    code = "E-CONNECTION-LOST"


class StreamError(PlaitError):
    """A stream cannot do what was asked."""

    code = "E-STREAM"


class StreamResetError(StreamError, ConnectionResetError):
    """The stream was aborted; ``__cause__`` says why when the connection ended with it.

    Attributes:
        error_code: the code of the reset, if one was sent.
        remote: whether the peer reset it; ``None`` when nobody can tell.
    """

    code = "E-STREAM-RESET"

    def __init__(
        self,
        message: str = "",
        *,
        error_code: int | None = None,
        remote: bool | None = None,
        **where: Unpack[Where],
    ) -> None:
        super().__init__(message, **where)
        self.error_code = error_code
        self.remote = remote


class StreamClosedError(StreamError):
    """We closed this side of the stream and then used it again."""

    code = "E-STREAM-CLOSED"


class ConcurrencyError(StreamError):
    """Two tasks read, or two tasks write, at the same time."""

    code = "E-CONCURRENCY"


# Rules and limits


class ProtocolError(PlaitError):
    """A rule of a protocol was broken."""

    code = "E-PROTOCOL"


class LocalProtocolError(ProtocolError):
    """This program asked for something that the protocol forbids."""

    code = "E-LOCAL-PROTOCOL"


class RemoteProtocolError(ProtocolError):
    """The peer broke a rule.

    Attributes:
        error_code: the code that ends the connection or the stream for it.
    """

    code = "E-REMOTE-PROTOCOL"

    def __init__(self, message: str = "", *, error_code: int | None = None, **where: Unpack[Where]) -> None:
        super().__init__(message, **where)
        self.error_code = error_code


class LimitError(PlaitError):
    """A limit was reached.

    Attributes:
        limit: the name of the limit, as in the configuration.
        scope: whose limit it is: ``"host"``, an address, a peer, …
        current: how much was in use when more was asked for.
        maximum: how much is allowed.
    """

    code = "E-LIMIT"

    def __init__(
        self,
        message: str = "",
        *,
        limit: str | None = None,
        scope: str | None = None,
        current: int | None = None,
        maximum: int | None = None,
        **where: Unpack[Where],
    ) -> None:
        super().__init__(message, **where)
        self.limit = limit
        self.scope = scope
        self.current = current
        self.maximum = maximum


def _look_alikes(offered: Sequence[str], supported: Sequence[str]) -> tuple[str, ...]:
    if not offered or not supported:
        return ()
    # Only a failed negotiation needs it, so that a plain import does not pay for it.
    import difflib

    candidates = supported[:COMPARED_PROTOCOLS]
    found: dict[str, None] = {}
    for protocol in offered:
        found.update(dict.fromkeys(difflib.get_close_matches(protocol, candidates, n=2)))
    return tuple(found)


# A host speaks some twenty protocols; past that the list no longer helps whoever reads it.
SHOWN_PROTOCOLS = 20

# The peer chooses how many names there are, and comparing costs time for each of them.
COMPARED_PROTOCOLS = 100
