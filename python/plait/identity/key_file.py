"""A private key on disk: the bytes of its message, for the eyes of its owner."""

from __future__ import annotations

import logging
import os
import stat
from contextlib import suppress

from plait.exceptions import InvalidKeyError

__all__ = ["read", "write"]

logger = logging.getLogger(__name__)


def read(path: str | os.PathLike[str]) -> bytes:
    """Content of a key file; warns when others can read it too.

    Raises:
        InvalidKeyError: it is far too long for a key.
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        # A warning and no refusal: secrets that a container mounts often have a fixed mode.
        if os.name == "posix" and stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
            logger.warning("%s can be read by others; chmod 600 would hide it", os.fspath(path))
        content = file.read(MAX_SIZE + 1)
    if len(content) > MAX_SIZE:
        raise InvalidKeyError(f"more than {MAX_SIZE} bytes are no private key")
    return content


def write(path: str | os.PathLike[str], content: bytes, *, overwrite: bool) -> None:
    """Puts a key file in place in one step, so that no half of it is ever seen or left.

    Raises:
        FileExistsError: there is a file already, and `overwrite` is off.
        OSError: it cannot be written.
    """
    # Loaded for the one program in a hundred that writes a key.
    import tempfile

    target = os.fspath(path)
    # mkstemp opens with mode 0600, and the same folder makes the last step a rename.
    descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(target) or ".", prefix=".plait-key-")
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if overwrite:
            os.replace(temporary, target)
        else:
            _place(temporary, target)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary)


def _place(temporary: str, target: str) -> None:
    try:
        # Unlike a rename, a link fails when the name is taken, and nothing can come between.
        os.link(temporary, target)
    except FileExistsError:
        raise
    except OSError:
        # Some file systems have no hard links. A key written here in the meantime could be lost.
        if os.path.lexists(target):
            raise FileExistsError(f"{target} exists") from None
        os.replace(temporary, target)


# The largest key anybody has, RSA of 8,192 bits, takes less than 5 KiB, and less than 7 KiB as PEM.
MAX_SIZE = 8192
