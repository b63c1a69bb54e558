"""`plait send`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from plait.cli.arguments import add_identity, count, load_identity
from plait.cli.bar import make_bar
from plait.cli.negotiated import negotiated, negotiated_text
from plait.cli.output import Output, counted, size

if TYPE_CHECKING:
    from plait.files import FailedFile, SendReport, SentFile

__all__ = ["DESCRIPTION", "HELP", "NAME", "add_arguments", "run"]

NAME = "send"
HELP = "send files and folders to a peer"
DESCRIPTION = """\
Sends each file on its own stream of one connection, several at once, and ends when the receiver
has verified all of them. Links inside a folder are left out, and so are empty folders."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="file or folder")
    parser.add_argument("address", metavar="ADDR", help="what `plait recv` printed: /ip4/…/tcp/…/p2p/…")
    parser.add_argument("--parallel", type=count, metavar="N", help="files at once (default: 4)")
    add_identity(parser)


async def run(options: argparse.Namespace, out: Output) -> int:
    import asyncio

    import plait
    from plait import files

    # Before anything is dialed: a path that is not there needs no peer to be wrong.
    outgoing, left_out = await asyncio.to_thread(files.collect, options.paths)
    for path in left_out:
        out.note(f"left out, as it is a link or no file: {path}")

    async with plait.Host(load_identity(options), listen=()) as host:
        connection = await host.connect(options.address)
        out.result("connected", None, **negotiated(connection))
        if out.verbosity > 0:
            out.note(f"connected to {connection.remote_peer} at {connection.remote_address}")

        def sent(file: SentFile) -> None:
            name, digest = file.file.name, file.digest.hex()
            text = f"{files.readable(name)}: {size(file.size)}, {digest}" if out.verbosity > 0 else None
            out.result("file", text, name=name, bytes=file.size, seconds=file.seconds, digest=digest)

        def failed(file: FailedFile) -> None:
            out.error(file.error, event="failed", name=file.file.name)

        with make_bar(out) as bar:
            sender = files.FileSender(
                connection,
                parallel=options.parallel,
                on_file=sent,
                on_failure=failed,
                on_progress=bar.update,
            )
            try:
                report = await sender.send(outgoing, left_out)
            except files.SendFailedError as error:
                # Each failure has been told when it happened.
                report = error.report or files.SendReport(connection)
        _summary(report, out)
        return 1 if report.failed else 0


def _summary(report: SendReport, out: Output) -> None:
    rate = report.bytes / report.seconds if report.seconds > 0 else 0.0
    verified = not report.failed
    text = (
        f"sent {counted(len(report.sent))}, {report.bytes} bytes in {report.seconds:.2f} s, "
        f"{rate / 1e6:.1f} MB/s, {negotiated_text(report.connection)}, "
        + ("verified" if verified else f"{counted(len(report.failed))} FAILED")
    )
    out.result(
        "done",
        text,
        files=len(report.sent),
        failed=len(report.failed),
        bytes=report.bytes,
        seconds=report.seconds,
        mb_per_second=rate / 1e6,
        verified=verified,
        **negotiated(report.connection),
    )
