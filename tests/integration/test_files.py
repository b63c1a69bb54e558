"""Files between two hosts: over each transport, on each event loop."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

import plait
from plait import files
from plait.exceptions import ProtocolNotSupportedError
from plait.files.destination import Destination
from plait.files.messages import Request

Duo = Callable[..., AbstractAsyncContextManager[tuple[plait.Host, plait.Host]]]

# Several blocks and an odd rest; more than the windows that a stream starts with.
LARGE = 5 * (1 << 20) + 4321


async def test_a_tree_arrives_as_it_was(duo: Duo, tmp_path: Path) -> None:
    sizes = {"a": 0, "b": 1, "sub/c": 65536, "sub/sub/ä ö": 1 << 20, "large": LARGE}
    source = make_tree(tmp_path / "top", sizes)
    (tmp_path / "top" / "empty").mkdir()
    (tmp_path / "top" / "link").symlink_to(tmp_path / "top" / "a")
    received: list[files.ReceivedFile] = []
    async with duo() as (alice, bob):
        receiver = files.FileReceiver(tmp_path / "inbox", on_file=received.append)
        alice.handle(files.PROTOCOL, receiver)
        report = await files.send_files(bob, alice.addresses[0], [source])
        await receiver.wait_idle()
    assert contents(tmp_path / "inbox" / "top") == contents(source, links=False)
    assert report.bytes == sum(sizes.values()) == receiver.progress.bytes
    assert report.left_out == [source / "link"]
    assert {file.peer for file in received} == {bob.peer_id}
    assert {file.name: file.digest for file in received} == {
        sent.file.name: sent.digest for sent in report.sent
    }
    assert report.seconds > 0
    assert report.connection.security == plait.HostConfig().security[0]


async def test_files_share_one_connection_and_go_at_once(duo: Duo, tmp_path: Path) -> None:
    source = make_tree(tmp_path / "top", {str(i): 10 for i in range(6)})
    together = asyncio.Event()
    waiting = 0

    async def accept(offer: files.FileOffer) -> bool:
        # Only three at once can open the gate.
        nonlocal waiting
        waiting += 1
        if waiting == 3:
            together.set()
        await together.wait()
        return True

    async with duo() as (alice, bob):
        alice.handle(files.PROTOCOL, files.FileReceiver(tmp_path / "inbox", accept=accept))
        report = await files.send_files(bob, alice.addresses[0], [source], parallel=3)
        assert len(report.sent) == 6
        assert len(bob.connections) == 1


async def test_progress_grows_to_the_total(duo: Duo, tmp_path: Path) -> None:
    source = make_tree(tmp_path / "top", {"large": LARGE, "small": 7})
    seen: list[int] = []
    async with duo() as (alice, bob):
        alice.handle(files.PROTOCOL, files.FileReceiver(tmp_path / "inbox"))

        def watch(progress: files.Progress) -> None:
            assert (progress.total, progress.files) == (LARGE + 7, 2)
            assert progress.rate > 0
            assert progress.remaining_seconds is not None
            seen.append(progress.bytes)

        await files.send_files(bob, alice.addresses[0], [source], on_progress=watch)
    assert seen == sorted(seen)
    assert seen[-1] == LARGE + 7


async def test_one_refused_file_does_not_stop_the_others(duo: Duo, tmp_path: Path) -> None:
    source = make_tree(tmp_path / "top", {"a": 1, "b": 2, "c": 3})
    make_tree(tmp_path / "inbox" / "top", {"b": 5})
    before = (tmp_path / "inbox" / "top" / "b").read_bytes()
    async with duo() as (alice, bob):
        alice.handle(files.PROTOCOL, files.FileReceiver(tmp_path / "inbox"))
        with pytest.raises(files.SendFailedError, match="1 of 3 files") as caught:
            await files.send_files(bob, alice.addresses[0], [source])
    report = caught.value.report
    assert report is not None
    assert [failed.file.name for failed in report.failed] == ["top/b"]
    assert isinstance(report.failed[0].error, files.FileRefusedError)
    assert report.failed[0].error.reason is files.ReplyCode.EXISTS
    assert {sent.file.name for sent in report.sent} == {"top/a", "top/c"}
    assert (tmp_path / "inbox" / "top" / "b").read_bytes() == before


async def test_overwriting(duo: Duo, tmp_path: Path) -> None:
    source = make_tree(tmp_path / "top", {"a": 1000})
    make_tree(tmp_path / "inbox" / "top", {"a": 5})
    async with duo() as (alice, bob):
        alice.handle(files.PROTOCOL, files.FileReceiver(tmp_path / "inbox", overwrite=True))
        await files.send_files(bob, alice.addresses[0], [source])
    assert contents(tmp_path / "inbox" / "top") == contents(source)


async def test_a_peer_that_takes_no_files(duo: Duo, tmp_path: Path) -> None:
    source = make_tree(tmp_path / "top", {"a": 1, "b": 1})
    async with duo() as (alice, bob):
        with pytest.raises(ProtocolNotSupportedError):
            await files.send_files(bob, alice.addresses[0], [source])


async def test_a_file_that_changes_is_one_error_on_both_sides(duo: Duo, tmp_path: Path) -> None:
    source = make_tree(tmp_path / "top", {"large": LARGE})
    failures: list[files.FailedTransfer] = []
    async with duo() as (alice, bob):
        receiver = files.FileReceiver(tmp_path / "inbox", on_failure=failures.append)
        alice.handle(files.PROTOCOL, receiver)

        def grow(progress: files.Progress) -> None:
            with (source / "large").open("ab") as file:
                file.write(b"more")

        with pytest.raises(files.SendFailedError, match="more bytes") as caught:
            await files.send_files(bob, alice.addresses[0], [source], on_progress=grow)
        assert isinstance(caught.value.__cause__, files.SourceError)
        await receiver.wait_idle()
    assert [failure.name for failure in failures] == ["top/large"]
    assert "changed while it was sent" in str(failures[0].error)
    assert contents(tmp_path / "inbox") == {}


async def test_a_full_disk_is_one_error_on_both_sides(
    duo: Duo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(self: Destination, pieces: list[bytes]) -> None:
        raise files.DestinationError("the receiver's disk is full", errno=errno.ENOSPC)

    monkeypatch.setattr(Destination, "write", fails)
    source = make_tree(tmp_path / "top", {"large": 40 << 20})
    failures: list[files.FailedTransfer] = []
    async with duo() as (alice, bob):
        receiver = files.FileReceiver(tmp_path / "inbox", on_failure=failures.append)
        alice.handle(files.PROTOCOL, receiver)
        with pytest.raises(files.SendFailedError, match="disk is full") as caught:
            await files.send_files(bob, alice.addresses[0], [source])
        assert isinstance(caught.value.__cause__, files.FileRefusedError)
        assert caught.value.__cause__.reason is files.ReplyCode.NO_SPACE
        await receiver.wait_idle()
        # The connection is as good as before.
        monkeypatch.undo()
        await files.send_files(bob, alice.addresses[0], [make_tree(tmp_path / "next", {"a": 1})])
    assert len(failures) == 1
    assert set(contents(tmp_path / "inbox")) == {"next/a"}


async def test_cancelling_the_sender_leaves_nothing(duo: Duo, tmp_path: Path) -> None:
    source = make_tree(tmp_path / "top", {"a/large": LARGE, "b/large": LARGE})
    failures: list[files.FailedTransfer] = []
    async with duo() as (alice, bob):
        receiver = files.FileReceiver(tmp_path / "inbox", on_failure=failures.append)
        alice.handle(files.PROTOCOL, receiver)
        sending = asyncio.create_task(
            files.send_files(bob, alice.addresses[0], [source], on_progress=lambda _: sending.cancel())
        )
        with pytest.raises(asyncio.CancelledError):
            await sending
        await receiver.wait_idle()
    assert contents(tmp_path / "inbox") == {}
    assert list((tmp_path / "inbox").iterdir()) == []
    assert [str(failure.error) for failure in failures if "cancelled" not in str(failure.error)] == []


async def test_closing_the_receivers_host_leaves_nothing(duo: Duo, tmp_path: Path) -> None:
    source = make_tree(tmp_path / "top", {"large": LARGE})
    async with duo() as (alice, bob):
        begun = asyncio.Event()
        receiver = files.FileReceiver(tmp_path / "inbox", on_progress=lambda _: begun.set())
        alice.handle(files.PROTOCOL, receiver)
        connection = await bob.connect(alice.addresses[0])
        stream = await connection.open_stream(files.PROTOCOL)
        # By hand, so that it stops in the middle.
        await stream.write_message(Request(b"top/large", LARGE).encode())
        await stream.write(bytes(2 << 20))
        await begun.wait()
        await alice.close()
        assert list((tmp_path / "inbox").iterdir()) == []
        with pytest.raises(files.SendFailedError):
            await files.FileSender(connection).send(files.collect([source])[0])


async def test_names_that_leave_the_folder_are_refused_on_the_wire(duo: Duo, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("data")
    (tmp_path / "inbox").mkdir()
    async with duo() as (alice, bob):
        alice.handle(files.PROTOCOL, files.FileReceiver(tmp_path / "inbox", overwrite=True))
        sender = files.FileSender(await bob.connect(alice.addresses[0]))
        for name in ("../data", "/data", str(tmp_path / "data"), "a/../../data", "..\\data", "c:\\data"):
            with pytest.raises(files.FileRefusedError) as caught:
                await sender.send_file(files.OutgoingFile(tmp_path / "data", name, 4))
            assert caught.value.reason is files.ReplyCode.BAD_NAME
    assert list((tmp_path / "inbox").iterdir()) == []


async def test_nothing_is_dialed_for_a_path_that_is_not_there(duo: Duo, tmp_path: Path) -> None:
    async with duo() as (alice, bob):
        with pytest.raises(files.SourceError, match="No such file"):
            await files.send_files(bob, alice.addresses[0], [tmp_path / "none"])
        assert len(bob.connections) == 0


def make_tree(top: Path, sizes: dict[str, int]) -> Path:
    for name, size in sizes.items():
        path = top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(size))
    return top


def contents(top: Path, links: bool = True) -> dict[str, str]:
    found = (path for path in top.rglob("*") if path.is_file() and (links or not path.is_symlink()))
    return {str(path.relative_to(top)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}
