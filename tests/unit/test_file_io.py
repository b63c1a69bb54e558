"""Files on our own disk: reading, writing, finding, and never leaving half of one behind."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from plait._core import FileBlock, FileReader, FileWriter
from plait.files import FileRefusedError, InvalidNameError, OutgoingFile, ReplyCode, SourceError, collect
from plait.files.destination import Destination, Folder
from plait.files.disk import DiskThreads
from plait.files.errors import DestinationError, DigestMismatchError
from plait.files.outgoing import Source

# Of the BLAKE3 specification: the hash of nothing, and of the bytes 0, 1, 2.
DIGEST_OF_NOTHING = bytes.fromhex("af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262")
DIGEST_OF_012 = bytes.fromhex("e1be4d7a8ab5560aa4199eea339849ba8e293d55ca0a81006726d184519e647f")


def block(data: bytes) -> FileBlock:
    """A block with these bytes in it."""
    made = FileBlock(len(data) or 1)
    assert made.extend(data) == len(data)
    return made


def read(reader: FileReader, size: int) -> bytes:
    """The next bytes of a reader."""
    into = FileBlock(size)
    assert reader.read(into) == len(into)
    return bytes(into)


class TestFileBlock:
    def test_takes_what_there_is_room_for(self) -> None:
        into = FileBlock(5)
        assert (len(into), into.room, bytes(into)) == (0, 5, b"")
        assert into.extend(b"abc") == 3
        assert into.extend(memoryview(b"defg")) == 2
        assert (len(into), into.room, bytes(into)) == (5, 0, b"abcde")
        into.clear(2)
        assert (into.extend(b"xyz"), bytes(into)) == (2, b"xy")
        # No more than its size, whatever is asked for.
        into.clear(100)
        assert into.room == 5

    def test_a_block_has_a_size(self) -> None:
        with pytest.raises(ValueError, match="no bytes"):
            FileBlock(0)

    def test_goes_to_a_place_in_a_file_and_comes_from_one(self, tmp_path: Path) -> None:
        with (tmp_path / "data").open("w+b") as file:
            assert block(b"world").write_file(file.fileno(), 6) == 5
            assert block(b"hello ").write_file(file.fileno(), 0) == 6
            into = FileBlock(8)
            assert into.read_file(file.fileno(), 0) == 8
            assert into.read_file(file.fileno(), 8) == 0
            into.clear(8)
            assert into.read_file(file.fileno(), 8) == 3
            assert into.read_cached(file.fileno(), 0) in (5, None)
            assert bytes(into)[:3] == b"rld"

    def test_the_system_says_what_is_wrong(self, tmp_path: Path) -> None:
        (tmp_path / "data").touch()
        with (tmp_path / "data").open("rb") as file:
            number = file.fileno()
            with pytest.raises(OSError, match="Bad file descriptor") as caught:
                block(b"x").write_file(number, 0)
            assert caught.value.errno == errno.EBADF
        for failing in (FileBlock(1).read_file, FileBlock(1).read_cached):
            with pytest.raises(OSError, match="Bad file descriptor"):
                failing(number, 0)

    def test_is_at_work_in_one_place_only(self, tmp_path: Path) -> None:
        # A reader without a writer: the thread waits for it with the block in its hands.
        os.mkfifo(tmp_path / "pipe")
        writing = threading.Thread(target=lambda: reader.append(FileReader(tmp_path / "pipe")))
        reader: list[FileReader] = []
        writing.start()
        with (tmp_path / "pipe").open("wb", buffering=0) as pipe:
            writing.join()
            into = FileBlock(4)

            def read_it() -> None:
                # Either of the two may find the other at work first.
                while True:
                    with suppress(ValueError):
                        reader[0].read(into)
                        return

            reading = threading.Thread(target=read_it)
            reading.start()
            with pytest.raises(ValueError, match="in use"):
                while True:
                    into.clear(4)
            pipe.write(b"data")
            reading.join()
            assert bytes(into) == b"data"


class TestFileReader:
    def test_reads_in_blocks_and_hashes_what_it_read(self, tmp_path: Path) -> None:
        path = tmp_path / "data"
        path.write_bytes(b"\x00\x01\x02")
        reader = FileReader(path)
        assert reader.digest() == DIGEST_OF_NOTHING
        assert [read(reader, 2), read(reader, 2), read(reader, 2)] == [b"\x00\x01", b"\x02", b""]
        assert reader.digest() == DIGEST_OF_012

    def test_takes_paths_as_text_too(self, tmp_path: Path) -> None:
        (tmp_path / "data").touch()
        assert read(FileReader(str(tmp_path / "data")), 1) == b""

    def test_a_missing_file_raises_what_open_raises(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError) as caught:
            FileReader(tmp_path / "none")
        assert caught.value.errno == errno.ENOENT
        assert caught.value.strerror == "No such file or directory"
        assert caught.value.filename == str(tmp_path / "none")

    def test_a_folder_cannot_be_read(self, tmp_path: Path) -> None:
        with pytest.raises(IsADirectoryError):
            read(FileReader(tmp_path), 1)

    def test_closed(self, tmp_path: Path) -> None:
        (tmp_path / "data").touch()
        reader = FileReader(tmp_path / "data")
        reader.close()
        reader.close()
        with pytest.raises(ValueError, match="not open"):
            read(reader, 1)
        with pytest.raises(ValueError, match="not open"):
            reader.digest()


class TestFileWriter:
    def test_has_its_name_only_after_commit(self, tmp_path: Path) -> None:
        writer = FileWriter(tmp_path / "temporary", tmp_path / "target")
        assert list(tmp_path.iterdir()) == []
        writer.create()
        for piece in (b"\x00", b"", b"\x01\x02"):
            writer.write(block(piece))
        assert list(tmp_path.iterdir()) == [tmp_path / "temporary"]
        assert writer.digest() == DIGEST_OF_012
        writer.commit(fsync=True)
        assert list(tmp_path.iterdir()) == [tmp_path / "target"]
        assert (tmp_path / "target").read_bytes() == b"\x00\x01\x02"
        writer.abort()
        assert (tmp_path / "target").exists()

    def test_does_not_take_a_name_that_is_taken(self, tmp_path: Path) -> None:
        (tmp_path / "target").write_text("old")
        writer = FileWriter(tmp_path / "temporary", tmp_path / "target")
        writer.create()
        writer.write(block(b"new"))
        with pytest.raises(FileExistsError):
            writer.commit()
        assert (tmp_path / "target").read_text() == "old"
        writer.commit(overwrite=True)
        assert (tmp_path / "target").read_text() == "new"
        assert list(tmp_path.iterdir()) == [tmp_path / "target"]

    def test_does_not_write_through_a_link_that_is_there(self, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").write_text("mine")
        (tmp_path / "temporary").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(FileExistsError):
            FileWriter(tmp_path / "temporary", tmp_path / "target").create()
        assert (tmp_path / "elsewhere").read_text() == "mine"

    def test_abort_removes_it(self, tmp_path: Path) -> None:
        writer = FileWriter(tmp_path / "temporary", tmp_path / "target")
        writer.create()
        writer.abort()
        writer.abort()
        assert list(tmp_path.iterdir()) == []
        with pytest.raises(ValueError, match="not open"):
            writer.write(block(b"late"))
        with pytest.raises(ValueError, match="given up"):
            writer.create()

    def test_going_away_removes_it(self, tmp_path: Path) -> None:
        writer = FileWriter(tmp_path / "temporary", tmp_path / "target")
        writer.create()
        del writer
        assert list(tmp_path.iterdir()) == []

    def test_takes_bytes_only(self, tmp_path: Path) -> None:
        writer = FileWriter(tmp_path / "temporary", tmp_path / "target")
        writer.create()
        with pytest.raises(TypeError):
            writer.write(b"bytes")  # type: ignore[arg-type]

    def test_a_full_disk_is_an_os_error(self, tmp_path: Path) -> None:
        writer = FileWriter(tmp_path / "temporary", tmp_path / "target")
        writer.create()
        with files_of_at_most(4096), pytest.raises(OSError) as caught:
            writer.write(block(bytes(4096) + b"one too many"))
        assert caught.value.errno == errno.EFBIG


class TestDiskThreads:
    async def test_a_job_runs_beside_the_loop(self) -> None:
        begun, go_on = asyncio.Event(), threading.Event()
        loop = asyncio.get_running_loop()

        def job(answer: int) -> int:
            loop.call_soon_threadsafe(begun.set)
            go_on.wait()
            return answer

        future = DiskThreads().start(job, 42)
        await begun.wait()
        try:
            assert not future.done()
        finally:
            go_on.set()
        assert await future == 42

    async def test_settle_sees_a_job_through_although_cancelled(self) -> None:
        begun, go_on = asyncio.Event(), threading.Event()
        loop = asyncio.get_running_loop()
        done: list[bool] = []

        def job() -> None:
            loop.call_soon_threadsafe(begun.set)
            go_on.wait()
            done.append(True)

        task = asyncio.create_task(DiskThreads().settle(job))
        await begun.wait()
        for _ in range(2):
            task.cancel()
            await asyncio.sleep(0)
        try:
            assert not task.done()
        finally:
            # A thread that still waits would keep the whole run from ending.
            go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert done == [True]


class TestCollect:
    def test_names_start_at_what_was_named(self, tmp_path: Path) -> None:
        (tmp_path / "top" / "sub").mkdir(parents=True)
        (tmp_path / "top" / "sub" / "b").write_text("bb")
        (tmp_path / "top" / "a").write_text("a")
        (tmp_path / "single").touch()
        (tmp_path / "top" / "empty").mkdir()
        files, left_out = collect([tmp_path / "top", str(tmp_path / "single")])
        assert [(file.name, file.size) for file in files] == [("top/a", 1), ("top/sub/b", 2), ("single", 0)]
        assert left_out == []

    def test_a_folder_that_is_called_dot_has_a_name_all_the_same(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "top").mkdir()
        (tmp_path / "top" / "a").touch()
        monkeypatch.chdir(tmp_path / "top")
        assert [file.name for file in collect(["."])[0]] == ["top/a"]
        assert [file.name for file in collect(["../top"])[0]] == ["top/a"]

    def test_links_inside_a_folder_are_left_out(self, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text("secret")
        (tmp_path / "top").mkdir()
        (tmp_path / "top" / "file").symlink_to(tmp_path / "secret")
        (tmp_path / "top" / "folder").symlink_to(tmp_path)
        (tmp_path / "top" / "broken").symlink_to(tmp_path / "none")
        files, left_out = collect([tmp_path / "top"])
        assert files == []
        assert [path.name for path in left_out] == ["broken", "file", "folder"]

    def test_a_link_that_is_named_is_followed(self, tmp_path: Path) -> None:
        (tmp_path / "data").write_text("data")
        (tmp_path / "link").symlink_to(tmp_path / "data")
        assert [(file.name, file.size) for file in collect([tmp_path / "link"])[0]] == [("link", 4)]

    def test_what_is_no_file_is_left_out_or_refused(self, tmp_path: Path) -> None:
        (tmp_path / "top").mkdir()
        os.mkfifo(tmp_path / "top" / "pipe")
        assert collect([tmp_path / "top"]) == ([], [tmp_path / "top" / "pipe"])
        with pytest.raises(SourceError, match="neither a file nor a folder"):
            collect([tmp_path / "top" / "pipe"])

    def test_a_missing_path(self, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match="No such file"):
            collect([tmp_path / "none"])

    def test_two_files_of_one_name(self, tmp_path: Path) -> None:
        for folder in ("one", "two"):
            (tmp_path / folder).mkdir()
            (tmp_path / folder / "same").touch()
        with pytest.raises(SourceError, match="both have this name"):
            collect([tmp_path / "one" / "same", tmp_path / "two" / "same"])

    def test_a_name_that_no_receiver_takes(self, tmp_path: Path) -> None:
        (tmp_path / "back\\slash").touch()
        with pytest.raises(InvalidNameError, match="backslash"):
            collect([tmp_path / "back\\slash"])
        (tmp_path / os.fsdecode(b"\xff")).touch()
        with pytest.raises(InvalidNameError, match="UTF-8"):
            collect([tmp_path / os.fsdecode(b"\xff")])


class TestSource:
    def opened(self, path: Path, content: bytes = b"content") -> Source:
        path.write_bytes(content)
        return Source(OutgoingFile(path, path.name, len(content)))

    def test_an_untouched_file(self, tmp_path: Path) -> None:
        source = self.opened(tmp_path / "data", b"\x00\x01\x02")
        assert source.size == 3
        assert bytes(source.read(FileBlock(3))) == b"\x00\x01\x02"
        assert source.finish() == DIGEST_OF_012

    def test_shrinks(self, tmp_path: Path) -> None:
        source = self.opened(tmp_path / "data")
        os.truncate(tmp_path / "data", 3)
        with pytest.raises(SourceError, match="became shorter"):
            source.read(FileBlock(7))

    def test_grows(self, tmp_path: Path) -> None:
        source = self.opened(tmp_path / "data")
        source.read(FileBlock(7))
        with (tmp_path / "data").open("ab") as file:
            file.write(b"more")
        with pytest.raises(SourceError, match="more bytes"):
            source.finish()

    def test_is_written_to(self, tmp_path: Path) -> None:
        source = self.opened(tmp_path / "data")
        source.read(FileBlock(7))
        status = os.stat(tmp_path / "data")
        os.utime(tmp_path / "data", ns=(status.st_atime_ns, status.st_mtime_ns + 1))
        with pytest.raises(SourceError, match="written to"):
            source.finish()

    def test_is_replaced(self, tmp_path: Path) -> None:
        source = self.opened(tmp_path / "data")
        source.read(FileBlock(7))
        (tmp_path / "other").write_bytes(b"CONTENT")
        (tmp_path / "other").rename(tmp_path / "data")
        with pytest.raises(SourceError, match="another file"):
            source.finish()

    def test_vanishes(self, tmp_path: Path) -> None:
        source = self.opened(tmp_path / "data")
        source.read(FileBlock(7))
        (tmp_path / "data").unlink()
        with pytest.raises(SourceError, match="vanished"):
            source.finish()

    def test_is_not_there_or_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(SourceError, match="vanished"):
            Source(OutgoingFile(tmp_path / "none", "none", 0))
        with pytest.raises(SourceError, match="not a regular file"):
            Source(OutgoingFile(tmp_path, "folder", 0))
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(SourceError, match="not a regular file"):
            Source(OutgoingFile(tmp_path / "pipe", "pipe", 0))


class TestDestination:
    def test_makes_the_folders_of_the_name(self, tmp_path: Path) -> None:
        destination = Destination(Folder(tmp_path / "inbox", overwrite=False), ("a", "b", "c"), 3)
        destination.open()
        destination.write(block(b"\x00\x01\x02"))
        destination.commit(DIGEST_OF_012)
        destination.abandon()
        assert (tmp_path / "inbox" / "a" / "b" / "c").read_bytes() == b"\x00\x01\x02"
        assert tree(tmp_path) == ["inbox", "inbox/a", "inbox/a/b", "inbox/a/b/c"]

    def test_abandoned_it_leaves_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "a").mkdir()
        destination = Destination(Folder(tmp_path, overwrite=False), ("a", "b", "c"), 0)
        destination.open()
        assert len(tree(tmp_path)) == 3
        destination.abandon()
        assert tree(tmp_path) == ["a"]

    def test_abandoned_before_it_was_opened(self, tmp_path: Path) -> None:
        destination = Destination(Folder(tmp_path, overwrite=False), ("a", "b"), 0)
        destination.abandon()
        with pytest.raises(DestinationError, match="given up"):
            destination.open()
        assert tree(tmp_path) == []

    def test_a_folder_that_another_transfer_uses_stays(self, tmp_path: Path) -> None:
        folder = Folder(tmp_path, overwrite=False)
        first, second = Destination(folder, ("a", "1"), 0), Destination(folder, ("a", "2"), 0)
        first.open()
        second.open()
        first.abandon()
        second.commit(DIGEST_OF_NOTHING)
        assert tree(tmp_path) == ["a", "a/2"]

    def test_the_last_one_to_give_up_removes_a_shared_folder(self, tmp_path: Path) -> None:
        folder = Folder(tmp_path, overwrite=False)
        transfers = [Destination(folder, ("a", part, "file"), 0) for part in "xyz"]
        for transfer in transfers:
            transfer.open()
        for transfer in transfers[:2]:
            transfer.abandon()
            transfer.abandon()
        assert tree(tmp_path)[:2] == ["a", "a/z"]
        transfers[2].abandon()
        assert tree(tmp_path) == []

    def test_the_wrong_digest(self, tmp_path: Path) -> None:
        destination = Destination(Folder(tmp_path, overwrite=False), ("a",), 1)
        destination.open()
        destination.write(block(b"x"))
        with pytest.raises(DigestMismatchError):
            destination.commit(DIGEST_OF_NOTHING)
        destination.abandon()
        assert tree(tmp_path) == []

    @pytest.mark.parametrize("overwrite", [False, True])
    def test_links_are_never_followed(self, tmp_path: Path, overwrite: bool) -> None:
        (tmp_path / "inbox").mkdir()
        (tmp_path / "outside").mkdir()
        (tmp_path / "inbox" / "link").symlink_to(tmp_path / "outside")
        destination = Destination(Folder(tmp_path / "inbox", overwrite=overwrite), ("link", "a"), 0)
        with pytest.raises(InvalidNameError, match="not a folder"):
            destination.open()
        destination.abandon()
        assert tree(tmp_path) == ["inbox", "inbox/link", "outside"]

    def test_a_file_where_a_folder_should_be(self, tmp_path: Path) -> None:
        (tmp_path / "a").touch()
        with pytest.raises(InvalidNameError, match="not a folder"):
            Destination(Folder(tmp_path, overwrite=True), ("a", "b"), 0).open()

    def test_a_name_that_is_taken(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_text("old")
        with pytest.raises(FileRefusedError) as caught:
            Destination(Folder(tmp_path, overwrite=False), ("a",), 0).open()
        assert caught.value.reason is ReplyCode.EXISTS

    def test_a_name_that_is_taken_meanwhile(self, tmp_path: Path) -> None:
        destination = Destination(Folder(tmp_path, overwrite=False), ("a",), 0)
        destination.open()
        (tmp_path / "a").write_text("old")
        with pytest.raises(FileRefusedError) as caught:
            destination.commit(DIGEST_OF_NOTHING)
        assert caught.value.reason is ReplyCode.EXISTS
        destination.abandon()
        assert (tmp_path / "a").read_text() == "old"
        assert tree(tmp_path) == ["a"]

    def test_overwriting_replaces_a_file_and_the_link_itself_but_no_folder(self, tmp_path: Path) -> None:
        (tmp_path / "elsewhere").write_text("mine")
        (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
        folder = Folder(tmp_path, overwrite=True)
        destination = Destination(folder, ("link",), 0)
        destination.open()
        destination.commit(DIGEST_OF_NOTHING)
        assert not (tmp_path / "link").is_symlink()
        assert (tmp_path / "elsewhere").read_text() == "mine"
        (tmp_path / "folder").mkdir()
        with pytest.raises(FileRefusedError):
            Destination(folder, ("folder",), 0).open()

    def test_a_name_of_full_length(self, tmp_path: Path) -> None:
        name = "ä" * 127 + "x"
        destination = Destination(Folder(tmp_path, overwrite=False), (name,), 0)
        destination.open()
        destination.commit(DIGEST_OF_NOTHING)
        assert tree(tmp_path) == [name]

    def test_more_than_the_disk_has_room_for(self, tmp_path: Path) -> None:
        with pytest.raises(FileRefusedError) as caught:
            Destination(Folder(tmp_path, overwrite=False), ("a", "b"), 2**62).open()
        assert caught.value.reason is ReplyCode.NO_SPACE

    def test_a_disk_that_becomes_full(self, tmp_path: Path) -> None:
        destination = Destination(Folder(tmp_path, overwrite=False), ("a",), 8192)
        destination.open()
        with files_of_at_most(4096), pytest.raises(DestinationError, match="disk is full"):
            destination.write(block(bytes(8192)))
        destination.abandon()
        assert tree(tmp_path) == []

    def test_a_folder_that_cannot_be_written(self, tmp_path: Path) -> None:
        # A socket in place of the folder: even root cannot make files below it.
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(tmp_path / "socket"))
        with pytest.raises(DestinationError, match="cannot write"):
            Destination(Folder(tmp_path / "socket", overwrite=False), ("a",), 0).open()


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """A limit of the system that fails a write in its middle, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
