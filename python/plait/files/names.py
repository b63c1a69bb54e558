"""Which names a file may have on its way: the only guard between a peer and our file system."""

from __future__ import annotations

from plait.files.errors import InvalidNameError

__all__ = ["MAX_DEPTH", "MAX_NAME", "MAX_PART", "check_name", "decode_name"]


def decode_name(name: bytes) -> tuple[str, ...]:
    """The parts of a name that came from a peer.

    Raises:
        InvalidNameError: not UTF-8, or refused by `check_name`.
    """
    try:
        text = name.decode()
    except UnicodeDecodeError:
        raise InvalidNameError("a name has to be UTF-8", name=ascii(name[:MAX_PART])) from None
    return check_name(text)


def check_name(name: str) -> tuple[str, ...]:
    """The parts of a relative path, each safe to be joined to a folder on any system.

    Raises:
        InvalidNameError: saying what is wrong with it.
    """
    if why := _objection(name):
        raise InvalidNameError(why, name=name)
    return tuple(name.split("/"))


def _objection(name: str) -> str | None:
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return "a name has to be UTF-8"
    if not 0 < size <= MAX_NAME:
        return f"a name has 1 to {MAX_NAME} bytes, not {size}"
    if any(char < " " or char == "\x7f" for char in name):
        return "a name has no control characters"
    if "\\" in name:
        return "the parts of a name are separated by '/', never by a backslash"
    parts = name.split("/")
    if len(parts) > MAX_DEPTH:
        return f"a name has at most {MAX_DEPTH} parts, not {len(parts)}"
    for part in parts:
        if why := _part_objection(part):
            return why
    return None


def _part_objection(part: str) -> str | None:
    if not part:
        return "a name is relative and has no empty parts"
    if part in {".", ".."}:
        return f"a name has no part {part!r}"
    if len(part.encode()) > MAX_PART:
        return f"a part of a name has at most {MAX_PART} bytes"
    # On Windows "c:x" joined to any folder is on drive C; nowhere else is it worth the risk.
    if len(part) > 1 and part[1] == ":":
        return "a name has no drive letter"
    return None


# Bytes. Systems allow 4096 for the whole path, and the folder's own path needs some of them.
MAX_NAME = 1024

# Bytes: what ext4, APFS, NTFS and nearly all others allow.
MAX_PART = 255

# Deeper than any real tree; bounds the folders that one small request can make us create.
MAX_DEPTH = 32
