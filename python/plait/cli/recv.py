"""`plait recv`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from plait.cli.arguments import add_identity, load_identity
from plait.cli.bar import make_bar
from plait.cli.negotiated import negotiated, negotiated_text
from plait.cli.output import Output, counted, size

if TYPE_CHECKING:
    from plait import Host
    from plait.abc import Connection, Stream
    from plait.files import FailedTransfer, FileOffer, FileReceiver, ReceivedFile

__all__ = ["DESCRIPTION", "HELP", "NAME", "add_arguments", "run"]

NAME = "recv"
HELP = "receive files into a folder"
DESCRIPTION = """\
Prints the addresses to send to, one a line, and writes what peers send into a folder. A file has
its name only when it is complete and verified. By default it listens on all IPv4 interfaces at a
port that is free, and takes files from everybody who knows the address."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--listen",
        action="append",
        metavar="MULTIADDR",
        help=f"where to listen; may be repeated (default: {EVERYWHERE})",
    )
    parser.add_argument("--out", type=Path, default=Path(), metavar="DIR", help="folder (default: this one)")
    parser.add_argument("--once", action="store_true", help="end when the first sender has gone")
    parser.add_argument("--overwrite", action="store_true", help="replace files that are there already")
    parser.add_argument(
        "--from",
        dest="senders",
        action="append",
        metavar="PEER",
        help="take files from this peer id only; may be repeated",
    )
    add_identity(parser)


async def run(options: argparse.Namespace, out: Output) -> int:
    import asyncio

    import plait
    from plait import files

    senders = [plait.PeerId.from_text(text) for text in options.senders or ()]
    first: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()

    def accept(offer: FileOffer) -> bool:
        return not senders or offer.peer in senders

    with make_bar(out) as bar:
        # Its handler is there before the first peer can ask what we speak.
        receiver = files.FileReceiver(
            options.out,
            overwrite=options.overwrite,
            accept=accept,
            on_file=lambda file: _received(file, out),
            on_failure=lambda failure: _failed(failure, out),
            on_progress=bar.update,
        )

        async def serve(stream: Stream) -> None:
            if not first.done():
                first.set_result(stream.connection)
            try:
                await receiver(stream)
            except Exception as error:
                out.defect(error)
                raise

        host = plait.Host(load_identity(options), listen=options.listen or [EVERYWHERE])
        host.handle(files.PROTOCOL, serve)
        async with host:
            _announce(host, out)
            connection = await first
            if not options.once:
                await asyncio.Event().wait()
            await connection.wait_closed()
            await receiver.wait_idle()
    return _summary(connection, receiver, out)


def _announce(host: Host, out: Output) -> None:
    addresses = [str(address) for address in host.addresses]
    out.note(f"receiving as {host.peer_id}; send to one of these with `plait send PATH… ADDR`:")
    out.result("listening", "\n".join(addresses), peer=str(host.peer_id), addresses=addresses)


def _received(file: ReceivedFile, out: Output) -> None:
    from plait.files import readable

    digest = file.digest.hex()
    out.result(
        "file",
        f"{readable(file.name)}: {size(file.size)}, {digest}" if out.verbosity >= 0 else None,
        name=file.name,
        path=str(file.path),
        bytes=file.size,
        seconds=file.seconds,
        digest=digest,
        peer=str(file.peer),
    )


def _failed(failure: FailedTransfer, out: Output) -> None:
    out.error(failure.error, event="failed", name=failure.name, peer=str(failure.peer))


def _summary(connection: Connection, receiver: FileReceiver, out: Output) -> int:
    progress = receiver.progress
    verified = progress.files_done > 0 and not progress.files_failed
    text = (
        f"received {counted(progress.files_done)}, {progress.bytes} bytes in {progress.seconds:.2f} s, "
        f"{progress.rate / 1e6:.1f} MB/s, {negotiated_text(connection)}, "
        + ("verified" if verified else f"{counted(progress.files_failed)} FAILED")
    )
    out.result(
        "done",
        text,
        files=progress.files_done,
        failed=progress.files_failed,
        bytes=progress.bytes,
        seconds=progress.seconds,
        mb_per_second=progress.rate / 1e6,
        verified=verified,
        **negotiated(connection),
    )
    return 0 if verified else 1


# A receiver is there to be reached. Only IPv4, since not every machine has the other, and a port of the
# system's choice, so that two receivers do not get into each other's way.
EVERYWHERE = "/ip4/0.0.0.0/tcp/0"
