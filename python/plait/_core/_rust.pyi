"""The native module: what `rust/py` gives, word for word.

Times are seconds as floats, on the clock that the caller uses for all calls to one session
(`loop.time()`). Every function that takes bytes takes any object with the buffer protocol.
"""

from collections.abc import Callable, Coroutine, Iterable, Sequence
from os import PathLike
from typing import Any, NoReturn, TypeAlias, final

from typing_extensions import Buffer

__version__: str

# Kinds of the event tuples that a session gives; the comment is the rest of the tuple.
ESTABLISHED: int  # (kind, Established)
STREAM_OPENED: int  # (kind, stream id, protocol): the peer opened a stream for one of our protocols
STREAM_READY: int  # (kind, stream id, protocol): the peer confirmed the protocol of our stream
STREAM_REFUSED: int  # (kind, stream id, exception): the peer speaks none of the protocols
READABLE: int  # (kind, stream id): `read` has something, or the end
WRITABLE: int  # (kind, stream id): `write` takes bytes again
STREAM_RESET: int  # (kind, stream id, error code): by the peer, or by us over a limit
OPEN_CREDIT: int  # (kind,): `open_stream` can succeed again
PING_RTT: int  # (kind, seconds)
MUXER_AGREED: int  # (kind,): the peer agreed to the muxer that `ESTABLISHED` had only proposed
CLOSED: int  # (kind, exception): nothing more will come; what is left to transmit should be sent

# The last tuple of a call on a bare socket: (kind, flags, deadline or None, OSError or None). The deadline is
# given when it is earlier than the one given before; the error has broken the connection.
WIRE: int
WIRE_BLOCKED: (
    int  # call `flush_socket(..., has_room=True)` once the socket takes bytes; nothing is sent before
)
WIRE_MORE: int  # there may be more to send: call `flush_socket` in the next turn
WIRE_OVERLOADED: int  # the socket must not be read
WIRE_RELIEVED: int  # the socket may be read again
WIRE_FINISHED: int  # all is sent and nothing follows: the socket's write side can end
WIRE_ENDED: int  # the peer sends nothing more
WIRE_MIXED: int  # small messages go before transfers: little should wait in the socket
WIRE_UNMIXED: int  # as much may wait in the socket as the system lets

Event: TypeAlias = tuple[Any, ...]

@final
class ReceiveBuffer:
    """Memory that a socket is read into, shared by all connections of one event loop.

    It is decrypted in place, so its content means nothing once a session has received it.
    """

    def __new__(cls, size: int) -> ReceiveBuffer: ...
    def __len__(self) -> int: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...
    def __release_buffer__(self, buffer: memoryview, /) -> None: ...

@final
class MemoryBudget:
    """Bytes that all sessions of a host may hold for streams that are not read."""

    def __new__(cls, limit: int) -> MemoryBudget: ...
    @property
    def limit(self) -> int:
        """In bytes."""
    @property
    def used(self) -> int:
        """In bytes, now."""

@final
class ProtocolSet:
    """The protocols that a host answers to: made anew when one is added, shared by its sessions.

    `rule` says whether a protocol that is not among the names is answered to all the same.
    """

    def __new__(cls, names: Iterable[str], rule: Callable[[str], bool] | None = None) -> ProtocolSet: ...
    def __contains__(self, name: object, /) -> bool: ...
    def __len__(self) -> int: ...

@final
class Established:
    """What an upgrade agreed on."""

    @property
    def remote_peer(self) -> bytes:
        """The multihash of the peer id."""
    @property
    def remote_public_key(self) -> bytes:
        """The canonical key message."""
    @property
    def security(self) -> str:
        """The protocol id of the secure channel."""
    @property
    def muxer(self) -> str:
        """The protocol id of the muxer."""
    @property
    def early_muxer(self) -> bool:
        """The muxer came inside the handshake."""
    @property
    def muxer_agreed(self) -> bool:
        """The peer has agreed to the muxer; else `MUXER_AGREED` or `CLOSED` follows."""
    @property
    def round_trips(self) -> int:
        """Of the upgrade, as this side waited for them."""

@final
class Security:
    """One security protocol that a host speaks, with its credentials for it."""

    @staticmethod
    def noise(identity_key: Buffer, sign: Callable[[bytes], Buffer]) -> Security:
        """With a fresh static key, which `sign` signs with the identity: once for all connections."""
    @staticmethod
    def tls(identity_key: Buffer, sign: Callable[[bytes], Buffer]) -> Security:
        """With a fresh certificate, which `sign` signs with the identity: once for all connections."""
    @staticmethod
    def plaintext(identity_key: Buffer) -> Security: ...
    @staticmethod
    def foreign(plugin: object, identity: object) -> Security:
        """A `plait.abc.SecurityProtocol`, which is begun with this `KeyPair`."""
    @staticmethod
    def tls_is_fast() -> bool:
        """Whether the CPU has instructions for AES-GCM."""
    @property
    def protocol(self) -> str: ...

@final
class Muxer:
    """One muxer that a host speaks."""

    @staticmethod
    def named(protocol: str) -> Muxer:
        """One of ours. Raises `ValueError` for others."""
    @staticmethod
    def foreign(plugin: object) -> Muxer:
        """A `plait.abc.Muxer`."""
    @property
    def protocol(self) -> str: ...

@final
class SessionConfig:
    """What all sessions of a host share. Times in seconds, sizes in bytes."""

    def __new__(
        cls,
        *,
        security: Sequence[Security],
        muxers: Sequence[Muxer],
        budget: MemoryBudget,
        private_network: Buffer | None = None,
        upgrade_timeout: float = 10.0,
        negotiate_timeout: float = 10.0,
        close_timeout: float = 1.0,
        linger: float = 30.0,
        keepalive_interval: float = 30.0,
        keepalive_timeout: float = 10.0,
        max_inbound_streams: int = 1024,
        max_negotiating_streams: int = 128,
        max_unacknowledged_streams: int = 256,
        max_stream_window: int = 16777216,
        max_buffered: int = 67108864,
        send_buffer: int = 262144,
    ) -> SessionConfig: ...
    def replace(self, security: Sequence[Security], muxers: Sequence[Muxer]) -> SessionConfig:
        """The same bounds with other protocols."""

@final
class Waiter:
    """One wait of a task that needs no future, to be awaited once. It has the verbs of a coroutine."""

    def __new__(cls, sleeper: object) -> Waiter:
        """For a task that waits from now on: an object with `wake()`."""

    @staticmethod
    def read(stream: object, limit: int, *, iterates: bool) -> Coroutine[Any, Any, bytes]:
        """A read of `limit` bytes at most, whose end is the end of an iteration if it `iterates`.

        `stream.arrived(waiter, limit)` is asked for bytes. What else it gives is what the task waits for, and
        then it is asked again. `stream.no_longer_awaited(waiter)` hears of a wait that is given up.
        """

    def begin(self, sleeper: object) -> None:
        """`sleeper` waits from now on."""

    def wake(self) -> None:
        """Calls `sleeper.wake()`, once."""

    def cancel(self) -> bool:
        """The task goes on by itself, so nobody has to wake it. Says whether nobody had."""

    def __await__(self) -> Waiter: ...
    def __iter__(self) -> Waiter: ...
    def __next__(self) -> Any: ...
    def send(self, value: object) -> Any: ...
    def throw(self, kind: object, value: object = None, traceback: object = None) -> NoReturn: ...
    def close(self) -> None: ...

@final
class Session:
    """One connection without its socket: secure channel and muxer behind one set of verbs."""

    @staticmethod
    def dial(
        config: SessionConfig,
        protocols: ProtocolSet,
        expected_peer: Buffer | None,
        now: float,
        *,
        contend: bool = False,
    ) -> Session:
        """Begins every negotiation; `contend` first asks whether the other side does so too."""
    @staticmethod
    def accept(
        config: SessionConfig, protocols: ProtocolSet, now: float, *, expected_peer: Buffer | None = None
    ) -> Session:
        """Waits for the other side to begin."""

    # In: from the wire and from the clock.
    def receive(self, buffer: ReceiveBuffer, count: int, now: float) -> list[Event]:
        """The first `count` bytes of `buffer` came from the wire; they are overwritten."""
    def receive_bytes(self, data: Buffer, now: float) -> list[Event]:
        """`data` came from the wire; it is copied first. For transports that bring bytes of their own."""
    def receive_eof(self) -> list[Event]:
        """The wire ended. Gives at most a `CLOSED`."""
    def handle_timeout(self, now: float) -> list[Event]:
        """The time of `next_timeout` has come; too early does no harm."""

    # Commands: from the application.
    def open_stream(self, protocols: Sequence[str], now: float) -> int | None:
        """A stream whose protocol is being negotiated; `None`: not now, `OPEN_CREDIT` follows.

        Raises `LocalProtocolError` for names that cannot be proposed or before the end of the upgrade,
        `ConnectionClosedError` on the way to the end, `LimitError` when all ids are used.
        """
    def read(self, stream: int, limit: int) -> bytes | None:
        """Up to `limit` bytes; `None`: nothing yet; `b""`: the peer finished. Gives credit back by itself.

        Raises `StreamResetError`, or `StreamClosedError` for a stream that we ended or that never was.
        """
    def read_into(self, stream: int, buffer: Buffer | FileBlock) -> int | None:
        """As `read`, into the beginning of a writable buffer; how many bytes."""
    def write(self, stream: int, data: Buffer | FileBlock, offset: int) -> int:
        """Queues `data[offset:]`; how many bytes were taken. Fewer than given: `WRITABLE` follows.

        `bytes` of 8 KiB or more are kept until they are sent instead of being copied, up to 1 MiB at once.

        Raises `StreamResetError`, `StreamClosedError`, or `ConnectionClosedError` once the go-away is queued.
        """
    def close_write(self, stream: int) -> None:
        """Ends our half after what is queued."""
    def stop_reading(self, stream: int) -> None:
        """Throws away what comes from now on, and gives credit for it."""
    def release(self, stream: int, now: float) -> None:
        """The application is done: both of the above. A peer that does not end its half in time is reset."""
    def reset(self, stream: int, error_code: int) -> None:
        """Aborts both halves; forgets the stream."""
    def close(self, error_code: int, now: float) -> list[Event]:
        """Begins a graceful close: what is queued, go-away, the peer's end or the deadline."""
    def set_protocols(self, protocols: ProtocolSet) -> None:
        """What the peer may open streams for from now on."""

    # Out: to the wire and to the clock.
    def transmit(self, limit: int, now: float) -> bytes:
        """Sealed bytes for the wire, about `limit` at most; `b""`: none. Look at `take_events` after."""
    def take_events(self) -> list[Event] | None:
        """What `transmit` gave besides bytes; `None` when nothing."""
    def next_timeout(self) -> float | None:
        """When to call `handle_timeout`; `None`: never."""
    @property
    def has_pending(self) -> bool:
        """A flush is due: `transmit` may give something, or `is_overloaded` has changed."""
    @property
    def is_overloaded(self) -> bool:
        """The socket must not be read: the peer does not read our answers, or nobody its data."""
    @property
    def is_leaving(self) -> bool:
        """Nothing more will be queued; the socket's write side can end once it took everything."""

    # In and out at once, on a bare socket: a descriptor that the caller has open, connected and non-blocking.
    # Each sends what there is to send, and gives `None` where there is nothing to do for the caller.
    def read_socket(self, fileno: int, now: float) -> list[Event] | None:
        """The socket can be read."""
    def flush_socket(self, fileno: int, now: float, *, has_room: bool = False) -> list[Event] | None:
        """There may be something to send; `has_room` once the socket that was blocked takes bytes again."""
    def leave_segment(self) -> None:
        """Copies what is still where it was decrypted, and gives the buffer back, as a flush does."""

    def expire_socket(self, fileno: int, now: float) -> list[Event] | None:
        """The deadline has come."""

    # Getters.
    @property
    def rtt(self) -> float | None:
        """The latest round trip of a ping, in seconds."""
    def stats(self) -> dict[str, int]:
        """The muxer's counters; zeros before it runs."""

@final
class FileBlock:
    """Bytes on their way between a file and a stream, in memory that is used again and again.

    `Session.write` and `Session.read_into` take it as a buffer. It can be at work in one place only, and
    raises `ValueError` elsewhere meanwhile. Failures of the system raise `OSError`.
    """

    def __new__(cls, size: int) -> FileBlock: ...
    def __len__(self) -> int:
        """How many bytes are in it."""
    def __bytes__(self) -> bytes: ...
    @property
    def room(self) -> int:
        """How many more it takes."""
    def clear(self, limit: int) -> None:
        """Empties it; from now on it takes `limit` bytes at most, and no more than its size."""
    def extend(self, data: Buffer) -> int:
        """Appends as much of `data` as there is room for; how many bytes."""
    def read_file(self, fileno: int, offset: int) -> int:
        """Fills the room from a place in a file; how many bytes, fewer only where the file ends.

        Waits for the disk, without the GIL. Not on Windows.
        """
    def read_cached(self, fileno: int, offset: int) -> int | None:
        """As much of that as the system has in memory; `None` when nothing, or when it cannot tell."""
    def write_file(self, fileno: int, offset: int) -> int:
        """Writes all of it at a place in a file; how many bytes.

        Waits for the disk, without the GIL. Not on Windows.
        """

@final
class FileReader:
    """A file that is read from its start in blocks, and hashed with BLAKE3 in the same pass.

    Reading and hashing release the GIL. Meant for a thread beside the event loop; calls from several
    threads take turns. Failures of the system raise the `OSError` that Python's own `open` would.
    """

    def __new__(cls, path: str | PathLike[str]) -> FileReader: ...
    def read(self, block: FileBlock) -> int:
        """Fills the room of `block`; how many bytes, fewer only at the end of the file.

        Raises `ValueError` when closed.
        """
    def digest(self) -> bytes:
        """The BLAKE3 digest (32 bytes) of what was read so far. Raises `ValueError` when closed."""
    def close(self) -> None:
        """Closes the file, after a read that is under way. Closing twice is fine."""

@final
class FileWriter:
    """A file that is written under a temporary name and gets its final one when it is complete.

    Everything but the constructor, which does nothing yet, releases the GIL. Calls from several threads
    take turns. An object that goes away without `commit` removes its file.
    """

    def __new__(cls, temporary: str | PathLike[str], target: str | PathLike[str]) -> FileWriter: ...
    def create(self) -> None:
        """Makes the temporary file. Raises `FileExistsError` when there is one."""
    def write(self, block: FileBlock) -> None:
        """Appends `block` and hashes it. Raises `ValueError` when the file is not open."""
    def digest(self) -> bytes:
        """The BLAKE3 digest (32 bytes) of what was written so far."""
    def commit(self, *, overwrite: bool = False, fsync: bool = False) -> None:
        """Gives the file its final name in one step.

        Raises `FileExistsError` when the name is taken, unless `overwrite`; the file then still waits
        for `abort`. With `fsync` it is on the disk, and so is its name, when this returns.
        """
    def abort(self) -> None:
        """Removes the temporary file, after a write that is under way. Does nothing after `commit`."""

def long_noise_records_by() -> str:
    """Whose ChaCha20-Poly1305 long Noise records go through in this process: `"OpenSSL"` or `"ring"`."""

def decode_public_key(protobuf: Buffer) -> tuple[int, bytes]:
    """Kind and data of a key message, checked. Raises `InvalidKeyError`."""

def encode_public_key(kind: int, data: Buffer) -> bytes:
    """The canonical key message. Raises `InvalidKeyError`."""

def peer_id_from_public_key(protobuf: Buffer) -> bytes:
    """The multihash of the key's canonical message. Raises `InvalidKeyError`."""

def check_peer_id(multihash: Buffer) -> None:
    """Raises `InvalidPeerIdError` for bytes that are no peer id."""

def verify(public_key: Buffer, message: Buffer, signature: Buffer) -> bool:
    """Whether the owner of the key signed `message`. Raises `InvalidKeyError`."""

def parse_network_key(file: Buffer) -> bytes:
    """The 32 bytes of a `swarm.key` file. Raises `ConfigError`."""

def format_network_key(key: Buffer) -> str:
    """The `swarm.key` file of these 32 bytes, in base16. Raises `ValueError` for another length."""

def decode_identify(
    messages: Buffer,
) -> tuple[bytes | None, list[bytes], list[str], bytes | None, str | None, str | None, bytes | None]: ...
def encode_identify(
    public_key: Buffer | None,
    listen_addrs: Sequence[bytes],
    protocols: Sequence[str],
    observed_addr: Buffer | None,
    protocol_version: str | None,
    agent_version: str | None,
    signed_peer_record: Buffer | None,
) -> bytes: ...
def decode_envelope(data: Buffer) -> tuple[bytes, bytes, bytes, bytes]:
    """Public key, payload type, payload, signature; nothing is verified. Raises `RemoteProtocolError`."""

def encode_envelope(
    public_key: Buffer, payload_type: Buffer, payload: Buffer, signature: Buffer
) -> bytes: ...
def decode_peer_record(data: Buffer) -> tuple[bytes, int, list[bytes]]:
    """Peer id, sequence number and addresses. Raises `RemoteProtocolError`."""

def encode_peer_record(peer_id: Buffer, seq: int, addresses: Sequence[bytes]) -> bytes:
    """The payload of a signed record; empty addresses are dropped."""

def every_error() -> list[tuple[str, BaseException]]:
    """One exception for each error of the core, by its name there; for tests."""
