"""Where received files go: a folder that no name leaves, and files that appear there complete or not at all.

Everything here blocks on the disk and belongs into `DiskThreads`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import stat
import threading
from collections.abc import Sequence
from pathlib import Path

from plait._core import FileBlock, FileWriter
from plait.files.errors import DestinationError, DigestMismatchError, FileRefusedError, InvalidNameError
from plait.files.messages import ReplyCode

__all__ = ["Destination", "Folder"]


class Folder:
    """The folder that all files of one receiver go to, and the folders that were made in it on the way.

    The one that makes a folder for a name may fail, and another one that is in it may not; so they are
    counted, and the last one to give up removes it. One that succeeds makes it stay.
    """

    __slots__ = ("_users", "lock", "overwrite", "root")

    def __init__(self, root: Path, *, overwrite: bool) -> None:
        self.root = root
        self.overwrite = overwrite
        # Held from making a folder until there is a file in it, and while they are removed.
        self.lock = threading.Lock()
        self._users: dict[Path, int] = {}

    def enter(self, folder: Path) -> None:
        """Makes sure that there is a folder, as one more user of it. Raises `NotADirectoryError`."""
        try:
            folder.mkdir()
            self._users[folder] = 0
        except FileExistsError:
            # A link that the owner of the folder put there may lead anywhere.
            if not stat.S_ISDIR(folder.lstat().st_mode):
                raise NotADirectoryError from None
        if folder in self._users:
            self._users[folder] += 1

    def leave(self, folder: Path) -> None:
        """One user less; the last one removes it, if it was made for them."""
        if folder not in self._users:
            return
        self._users[folder] -= 1
        if not self._users[folder]:
            del self._users[folder]
            # Not empty: somebody else has put something into it.
            with contextlib.suppress(OSError):
                folder.rmdir()

    def keep(self, folder: Path) -> None:
        """It stays, whatever becomes of its other users."""
        self._users.pop(folder, None)


class Destination:
    """One file while it arrives: hidden under a temporary name, then there, or gone without a trace."""

    __slots__ = ("_entered", "_folder", "_given_up", "_name", "_parts", "_size", "_writer", "path")

    def __init__(self, folder: Folder, parts: Sequence[str], size: int) -> None:
        self._folder = folder
        self._name = "/".join(parts)
        self._parts = parts
        self._size = size
        self._entered: list[Path] = []
        self._writer: FileWriter | None = None
        self._given_up = False
        self.path = folder.root.joinpath(*parts)

    def open(self) -> None:
        """Makes the folders of the name and the temporary file.

        Raises:
            FileRefusedError: there is such a file already, or no room for this one.
            InvalidNameError: a folder of the name is a link, or a file.
            DestinationError: the folder cannot be written.
        """
        try:
            with self._folder.lock:
                self._check_not_given_up()
                self._make_folders()
                self._check_room()
                self._check_free()
                self._create()
        except OSError as error:
            raise self._failure(error) from error

    def write(self, block: FileBlock) -> None:
        """Appends and hashes.

        Raises:
            DestinationError: the disk is full, or broken.
        """
        try:
            self._opened().write(block)
        except OSError as error:
            raise self._failure(error) from error

    def commit(self, digest: bytes) -> None:
        """Compares the digest and gives the file its name.

        Raises:
            DigestMismatchError: the bytes are not those that were sent.
            FileRefusedError: somebody else took the name meanwhile.
            DestinationError: the disk is full, or broken.
        """
        writer = self._opened()
        if writer.digest() != digest:
            raise DigestMismatchError("the bytes that arrived are not those that were sent", name=self._name)
        try:
            writer.commit(overwrite=self._folder.overwrite)
            with self._folder.lock:
                for folder in self._entered:
                    self._folder.keep(folder)
        except FileExistsError as error:
            raise self._taken() from error
        except OSError as error:
            raise self._failure(error) from error

    def abandon(self) -> None:
        """Removes what there is of it, unless it was committed; also the folders made for it, if empty."""
        with self._folder.lock:
            self._given_up = True
            if self._writer is not None:
                with contextlib.suppress(OSError):
                    self._writer.abort()
            while self._entered:
                self._folder.leave(self._entered.pop())

    def _opened(self) -> FileWriter:
        self._check_not_given_up()
        assert self._writer is not None  # `open` comes first
        return self._writer

    def _check_not_given_up(self) -> None:
        if self._given_up:
            raise DestinationError("the transfer was given up", name=self._name)

    def _make_folders(self) -> None:
        folder = self._folder.root
        folder.mkdir(parents=True, exist_ok=True)
        for part in self._parts[:-1]:
            folder = folder / part
            try:
                self._folder.enter(folder)
            except NotADirectoryError:
                raise InvalidNameError(f"{part!r} is not a folder here", name=self._name) from None
            self._entered.append(folder)

    def _check_room(self) -> None:
        free = shutil.disk_usage(self.path.parent).free
        if free < self._size:
            why = f"the receiver's disk has room for {free} bytes, not for {self._size}"
            raise FileRefusedError(why, reason=ReplyCode.NO_SPACE, name=self._name)

    def _check_free(self) -> None:
        try:
            there = self.path.lstat()
        except FileNotFoundError:
            return
        if stat.S_ISDIR(there.st_mode) or not self._folder.overwrite:
            raise self._taken()

    def _create(self) -> None:
        # A name of full length has no room for more; what was cut off is only for people to see.
        stem = self._parts[-1].encode()[:MAX_STEM].decode("utf-8", "ignore")
        temporary = self.path.with_name(f".{stem}.{secrets.token_hex(4)}.part")
        writer = FileWriter(os.fspath(temporary), os.fspath(self.path))
        writer.create()
        self._writer = writer

    def _taken(self) -> FileRefusedError:
        why = "the receiver has a file or folder of this name"
        return FileRefusedError(why, reason=ReplyCode.EXISTS, name=self._name)

    def _failure(self, error: OSError) -> DestinationError:
        full = error.errno in FULL
        why = "the receiver's disk is full" if full else f"the receiver cannot write it: {error.strerror}"
        return DestinationError(why, errno=error.errno, name=self._name)


# A file system without room, a user without quota, a file larger than the system allows.
FULL = frozenset({errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG})

# 255 bytes is the longest name; the dots, the token and the suffix take 15.
MAX_STEM = 240
