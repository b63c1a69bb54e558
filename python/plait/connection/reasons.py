"""The error codes that travel on the wire.

They are the ranges that go-libp2p publishes; the numbers of the two columns differ by one.
"""

from __future__ import annotations

from enum import IntEnum

__all__ = ["ConnectionCode", "StreamCode", "describe_connection_code", "describe_stream_code"]


class ConnectionCode(IntEnum):
    """Why a connection is closed, in its go-away."""

    NORMAL = 0
    PROTOCOL_ERROR = 1
    INTERNAL_ERROR = 2
    NEGOTIATION_FAILED = 0x1000
    RESOURCE_LIMIT = 0x1001
    RATE_LIMITED = 0x1002
    PROTOCOL_VIOLATION = 0x1003
    SUPPLANTED = 0x1004
    GARBAGE_COLLECTED = 0x1005
    SHUTDOWN = 0x1006
    GATED = 0x1007


class StreamCode(IntEnum):
    """Why a stream is reset. From 0x2000 on, codes are for applications."""

    UNKNOWN = 0
    NEGOTIATION_FAILED = 0x1001
    RESOURCE_LIMIT = 0x1002
    RATE_LIMITED = 0x1003
    PROTOCOL_VIOLATION = 0x1004
    SUPPLANTED = 0x1005
    GARBAGE_COLLECTED = 0x1006
    SHUTDOWN = 0x1007
    GATED = 0x1008
    # A handler raised. Beyond the published ones; peers that do not know it see an application's code.
    HANDLER_FAILED = 0x2001


def describe_connection_code(code: int) -> str:
    """The code for people: its name where it has one."""
    return _describe(ConnectionCode, code)


def describe_stream_code(code: int) -> str:
    """The code for people: its name where it has one."""
    return _describe(StreamCode, code)


def _describe(codes: type[IntEnum], code: int) -> str:
    try:
        return f"{codes(code).name.lower().replace('_', ' ')} ({code:#x})"
    except ValueError:
        return f"code {code:#x}"
