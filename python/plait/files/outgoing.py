"""Files that are to be sent: found, named, and read in blocks.

Everything here blocks on the disk and belongs into `DiskThreads`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from plait._core import FileBlock, FileReader
from plait.files.errors import SourceError
from plait.files.names import check_name

__all__ = ["OutgoingFile", "Source", "collect"]


@dataclass(frozen=True, slots=True)
class OutgoingFile:
    """A file, and the name under which it goes over the wire.

    Attributes:
        path: where it is.
        name: relative path with ``/`` between its parts.
        size: in bytes, when it was found; what counts is the size when its turn comes.
    """

    path: Path
    name: str
    size: int


def collect(paths: Iterable[str | os.PathLike[str]]) -> tuple[list[OutgoingFile], list[Path]]:
    """The files behind some paths, and what was left out.

    A file keeps its own name; a folder gives all files under it, named from the folder's own name
    on, in sorted order. A symbolic link that is named here is followed; inside a folder links are
    left out, so that nothing outside it is ever sent, and so is what is no regular file. Empty
    folders are not sent.

    Raises:
        SourceError: a path or a folder cannot be read, or two files would have one name.
        InvalidNameError: a name that no receiver would take.
    """
    files: dict[str, OutgoingFile] = {}
    left_out: list[Path] = []
    for top in map(Path, paths):
        for found in _find(top, left_out):
            if found.name in files:
                twin = files[found.name].path
                raise SourceError(f"{twin} and {found.path} would both have this name", name=found.name)
            files[found.name] = found
    return list(files.values()), left_out


class Source:
    """One file while it is sent. Not for two threads at once, except for `close`."""

    __slots__ = ("_before", "_file", "_reader", "size")

    def __init__(self, file: OutgoingFile) -> None:
        """Opens it.

        Raises:
            SourceError: it is not there, cannot be read, or is no regular file.
        """
        self._file = file
        try:
            # Before opening: to open a pipe would wait for whoever writes into it.
            self._before = os.stat(file.path)
            if not stat.S_ISREG(self._before.st_mode):
                raise SourceError("not a regular file", name=file.name)
            self._reader = FileReader(file.path)
        except OSError as error:
            raise self._unreadable(error) from error
        self.size = self._before.st_size

    def read(self, block: FileBlock) -> FileBlock:
        """The next bytes, all that there is room for in `block`.

        Raises:
            SourceError: the file cannot be read, or has become shorter.
        """
        try:
            self._reader.read(block)
        except OSError as error:
            raise self._unreadable(error) from error
        if block.room:
            raise SourceError("it became shorter while it was sent", name=self._file.name)
        return block

    def finish(self) -> bytes:
        """The digest of all that was read.

        Raises:
            SourceError: the file is not what it was when it was opened. What was read may then be
                half of one version and half of another, and no digest would tell.
        """
        digest = self._reader.digest()
        try:
            # Some files (in /proc, for one) have more in them than their size says.
            if self._reader.read(FileBlock(1)):
                raise SourceError("it has more bytes than its size says", name=self._file.name)
            after = os.stat(self._file.path)
        except OSError as error:
            raise self._unreadable(error) from error
        for attribute, what in CHANGES.items():
            if getattr(after, attribute) != getattr(self._before, attribute):
                raise SourceError(f"{what} while it was sent", name=self._file.name)
        return digest

    def close(self) -> None:
        self._reader.close()

    def _unreadable(self, error: OSError) -> SourceError:
        why = "it vanished" if isinstance(error, FileNotFoundError) else error.strerror or str(error)
        return SourceError(f"cannot be read: {why}", name=self._file.name, address=str(self._file.path))


def _find(top: Path, left_out: list[Path]) -> Iterator[OutgoingFile]:
    # "." and "a/.." name a folder too, but say nothing about its name.
    name = top.name if top.name not in {"", ".", ".."} else top.resolve().name
    try:
        status = top.stat()
        if stat.S_ISDIR(status.st_mode):
            if not name:
                raise SourceError("the root folder has no name to send it under", address=str(top))
            yield from _walk(top, name, left_out)
            return
    except OSError as error:
        raise SourceError(f"{top}: {error.strerror}") from error
    if not stat.S_ISREG(status.st_mode):
        raise SourceError(f"{top}: neither a file nor a folder")
    check_name(name)
    yield OutgoingFile(top, name, status.st_size)


def _walk(folder: Path, name: str, left_out: list[Path]) -> Iterator[OutgoingFile]:
    with os.scandir(folder) as entries:
        ordered = sorted(entries, key=lambda entry: entry.name)
    for entry in ordered:
        path, inner = folder / entry.name, f"{name}/{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            check_name(inner)
            yield from _walk(path, inner, left_out)
        elif entry.is_file(follow_symlinks=False):
            check_name(inner)
            yield OutgoingFile(path, inner, entry.stat(follow_symlinks=False).st_size)
        else:
            left_out.append(path)


# What must be as it was when the last byte has been read, and what it means if it is not.
CHANGES = {
    "st_ino": "another file took its place",
    "st_size": "its size changed",
    "st_mtime_ns": "it was written to",
}
