"""What can go wrong with a file, on either side.

::

    FileTransferError (PlaitError)             .name: of the file, as it goes over the wire
    ├── InvalidNameError (ValueError)          a name that no receiver may take
    ├── SourceError                            ours cannot be read, or changed while it was sent
    ├── DestinationError                       .errno: our disk is full, or the folder cannot be written
    ├── FileRefusedError                       .reason: the receiver would not, or could not, take it
    ├── DigestMismatchError                    what arrived is not what was sent
    ├── TransferAbortedError                   the peer gave up, fell silent or went away
    ├── FileProtocolError                      the peer broke the rules of the protocol
    └── SendFailedError                        .report: some files of many were not sent
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from plait.exceptions import PlaitError

if TYPE_CHECKING:
    from plait.exceptions import Where
    from plait.files.messages import ReplyCode
    from plait.files.sender import SendReport

__all__ = [
    "DestinationError",
    "DigestMismatchError",
    "FileProtocolError",
    "FileRefusedError",
    "FileTransferError",
    "InvalidNameError",
    "SendFailedError",
    "SourceError",
    "TransferAbortedError",
    "readable",
]


class FileTransferError(PlaitError):
    """A file was not transferred. Nothing is left of it under its final name.

    Attributes:
        name: the file's name as it goes over the wire, if it got that far.
    """

    code = "E-FILE-TRANSFER"

    def __init__(self, message: str = "", *, name: str | None = None, **where: Unpack[Where]) -> None:
        super().__init__(message, **where)
        self.name = name

    def __str__(self) -> str:
        text = super().__str__()
        return f"{readable(self.name)}: {text}" if self.name else text


class InvalidNameError(FileTransferError, ValueError):
    """A name that leaves the folder, or that no file can have."""

    code = "E-FILE-NAME"


class SourceError(FileTransferError):
    """A file to be sent cannot be read, vanished, or changed while it was sent."""

    code = "E-FILE-SOURCE"


class DestinationError(FileTransferError):
    """A file could not be written where it was to arrive.

    Attributes:
        errno: number of the operating system's error: `errno.ENOSPC` for a full disk.
    """

    code = "E-FILE-DESTINATION"

    def __init__(
        self,
        message: str = "",
        *,
        errno: int | None = None,
        name: str | None = None,
        **where: Unpack[Where],
    ) -> None:
        super().__init__(message, name=name, **where)
        self.errno = errno


class FileRefusedError(FileTransferError):
    """The receiver would not take the file, or could not keep it.

    Attributes:
        reason: which of the protocol's codes it answered.
    """

    code = "E-FILE-REFUSED"

    def __init__(
        self,
        message: str = "",
        *,
        reason: ReplyCode | None = None,
        name: str | None = None,
        **where: Unpack[Where],
    ) -> None:
        super().__init__(message, name=name, **where)
        self.reason = reason


class DigestMismatchError(FileTransferError):
    """The bytes that arrived have another BLAKE3 digest than those that were read."""

    code = "E-FILE-DIGEST"


class TransferAbortedError(FileTransferError):
    """The other side gave up, made no progress for too long, or its connection ended."""

    code = "E-FILE-ABORTED"


class FileProtocolError(FileTransferError):
    """The peer sent something that the files protocol forbids."""

    code = "E-FILE-PROTOCOL"


class SendFailedError(FileTransferError):
    """Some of the files were not sent; ``__cause__`` is what happened to the first of them.

    Attributes:
        report: what was sent, and every failure.
    """

    code = "E-FILE-SEND"

    def __init__(
        self,
        message: str = "",
        *,
        report: SendReport | None = None,
        name: str | None = None,
        **where: Unpack[Where],
    ) -> None:
        super().__init__(message, name=name, **where)
        self.report = report


def readable(name: str) -> str:
    """A name as it can be shown: the peer chose it, and may have put terminal codes into it."""
    return name if name.isprintable() else ascii(name)
