"""Files from peer to peer: `/plait/files/1.0.0`, described byte by byte in docs/protocols/files.md.

Purpose: send files and folders over one connection, receive them into a folder, verified by digest.
Takes: a `Network` with a target, or streams that the router hands to a `FileReceiver`.
Gives: `send_files`, `FileSender`, `FileReceiver`, `Progress`, and `FileTransferError` with its kinds.
May look at: abc, exceptions, types, _core (reading, writing and hashing of files).
"""

from plait.files.errors import (
    DestinationError,
    DigestMismatchError,
    FileProtocolError,
    FileRefusedError,
    FileTransferError,
    InvalidNameError,
    SendFailedError,
    SourceError,
    TransferAbortedError,
    readable,
)
from plait.files.messages import PROTOCOL, ReplyCode
from plait.files.outgoing import OutgoingFile, collect
from plait.files.progress import Progress
from plait.files.receiver import FailedTransfer, FileOffer, FileReceiver, ReceivedFile, ReceiverLimits
from plait.files.sender import FailedFile, FileSender, SendReport, SentFile, send_files

__all__ = [
    "PROTOCOL",
    "DestinationError",
    "DigestMismatchError",
    "FailedFile",
    "FailedTransfer",
    "FileOffer",
    "FileProtocolError",
    "FileReceiver",
    "FileRefusedError",
    "FileSender",
    "FileTransferError",
    "InvalidNameError",
    "OutgoingFile",
    "Progress",
    "ReceivedFile",
    "ReceiverLimits",
    "ReplyCode",
    "SendFailedError",
    "SendReport",
    "SentFile",
    "SourceError",
    "TransferAbortedError",
    "collect",
    "readable",
    "send_files",
]
