"""The native module: what `rust/py` gives, word for word.

Times are seconds as floats, on the clock that the caller uses for all calls to one session
(`loop.time()`). Every function that takes bytes takes any object with the buffer protocol.
"""

from collections.abc import Iterable, Sequence
from os import PathLike
from typing import Any, TypeAlias, final

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
CLOSED: int  # (kind, exception): nothing more will come; what is left to transmit should be sent

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
    def limit(self) -> int: ...
    @property
    def used(self) -> int: ...

@final
class ProtocolSet:
    """The protocols that a host answers to: made anew when one is added, shared by its sessions."""

    def __new__(cls, names: Iterable[str]) -> ProtocolSet: ...
    def __contains__(self, name: object, /) -> bool: ...
    def __len__(self) -> int: ...

@final
class Established:
    """What an upgrade agreed on."""

    @property
    def remote_peer(self) -> bytes: ...
    @property
    def remote_public_key(self) -> bytes: ...
    @property
    def security(self) -> str: ...
    @property
    def muxer(self) -> str: ...
    @property
    def early_muxer(self) -> bool: ...
    @property
    def round_trips(self) -> int: ...

@final
class SessionConfig:
    """What all sessions of a host share. Times in seconds, sizes in bytes."""

    def __new__(
        cls,
        *,
        noise_secret: Buffer,
        identity_key: Buffer,
        identity_signature: Buffer,
        budget: MemoryBudget,
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

@final
class Session:
    """One connection without its socket: secure channel and muxer behind one set of verbs."""

    @staticmethod
    def dial(
        config: SessionConfig, protocols: ProtocolSet, expected_peer: Buffer | None, now: float
    ) -> Session: ...
    @staticmethod
    def accept(config: SessionConfig, protocols: ProtocolSet, now: float) -> Session: ...

    # In: from the wire and from the clock.
    def receive(self, buffer: ReceiveBuffer, count: int, now: float) -> list[Event]: ...
    def receive_bytes(self, data: Buffer, now: float) -> list[Event]: ...
    def receive_eof(self, now: float) -> list[Event]: ...
    def handle_timeout(self, now: float) -> list[Event]: ...

    # Commands: from the application.
    def open_stream(self, protocols: Sequence[str], now: float) -> int | None: ...
    def read(self, stream: int, limit: int) -> bytes | None: ...
    def read_into(self, stream: int, buffer: Buffer) -> int | None: ...
    def write(self, stream: int, data: Buffer, offset: int) -> int: ...
    def close_write(self, stream: int) -> None: ...
    def stop_reading(self, stream: int) -> None: ...
    def release(self, stream: int, now: float) -> None: ...
    def reset(self, stream: int, error_code: int) -> None: ...
    def close(self, error_code: int, now: float) -> list[Event]: ...
    def set_protocols(self, protocols: ProtocolSet) -> None: ...

    # Out: to the wire and to the clock.
    def transmit(self, limit: int, now: float) -> bytes: ...
    def take_events(self) -> list[Event] | None: ...
    def next_timeout(self) -> float | None: ...
    @property
    def has_pending(self) -> bool: ...
    @property
    def is_overloaded(self) -> bool: ...
    @property
    def is_leaving(self) -> bool: ...

    # Getters.
    @property
    def rtt(self) -> float | None: ...
    def stats(self) -> dict[str, int]: ...

@final
class FileReader:
    """A file that is read from its start in blocks, and hashed with BLAKE3 in the same pass.

    Reading and hashing release the GIL. Meant for a thread beside the event loop; calls from several
    threads take turns. Failures of the system raise the `OSError` that Python's own `open` would.
    """

    def __new__(cls, path: str | PathLike[str]) -> FileReader: ...
    def read(self, limit: int) -> bytes:
        """The next `limit` bytes; fewer only at the end of the file. Raises `ValueError` when closed."""
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
    def write(self, pieces: Sequence[bytes]) -> None:
        """Appends `pieces` in order and hashes them. Raises `ValueError` when the file is not open."""
    def digest(self) -> bytes:
        """The BLAKE3 digest (32 bytes) of what was written so far."""
    def commit(self, *, overwrite: bool = False, fsync: bool = False) -> None:
        """Gives the file its final name in one step.

        Raises `FileExistsError` when the name is taken, unless `overwrite`; the file then still waits
        for `abort`. With `fsync` it is on the disk, and so is its name, when this returns.
        """
    def abort(self) -> None:
        """Removes the temporary file, after a write that is under way. Does nothing after `commit`."""

def decode_public_key(protobuf: Buffer) -> tuple[int, bytes]: ...
def encode_public_key(kind: int, data: Buffer) -> bytes: ...
def peer_id_from_public_key(protobuf: Buffer) -> bytes: ...
def check_peer_id(multihash: Buffer) -> None: ...
def verify(public_key: Buffer, message: Buffer, signature: Buffer) -> bool: ...
def noise_signed_message(noise_secret: Buffer) -> bytes: ...
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
def decode_envelope(data: Buffer) -> tuple[bytes, bytes, bytes, bytes]: ...
def encode_envelope(
    public_key: Buffer, payload_type: Buffer, payload: Buffer, signature: Buffer
) -> bytes: ...
def decode_peer_record(data: Buffer) -> tuple[bytes, int, list[bytes]]: ...
def encode_peer_record(peer_id: Buffer, seq: int, addresses: Sequence[bytes]) -> bytes: ...
def every_error() -> list[tuple[str, BaseException]]: ...
