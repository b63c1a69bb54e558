"""A transport of one's own: `/memory/N` addresses between the processes of one machine, over Unix sockets.

    python examples/plugin_transport.py

Each number is a socket file in a folder that the processes share. (`/unix/…` would name the file itself, but
in a multiaddr nothing can follow a path, so no `/p2p/…` either.)
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import plait
from plait.addresses import components, parse
from plait.exceptions import ListenError
from plait.transports import with_addresses

if TYPE_CHECKING:
    from multiaddr import Multiaddr

    from plait.abc import ProtocolFactory


class LocalTransport:
    """The plug-in.

    Args:
        folder: where the sockets are. Whoever may write to it may listen.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def can_dial(self, address: Multiaddr) -> bool:
        return [part.name for part in components(address)] == ["memory"]

    can_listen = can_dial

    async def resolve(self, address: Multiaddr) -> Sequence[Multiaddr]:
        return [address]

    async def dial(self, address: Multiaddr, factory: ProtocolFactory) -> None:
        loop = asyncio.get_running_loop()
        # The end that dialed has no number of its own.
        named = with_addresses(factory, local=parse("/memory/0"), remote=address)
        await loop.create_unix_connection(named, self.path(address))

    async def listen(self, address: Multiaddr, factory: ProtocolFactory) -> LocalListener:
        path = self.free_path(address)
        named = with_addresses(factory, local=address, remote=parse("/memory/0"))
        try:
            server = await asyncio.get_running_loop().create_unix_server(named, path)
        except OSError as error:
            raise ListenError(str(error), errno=error.errno, address=str(address)) from error
        return LocalListener(server, address, path)

    def path(self, address: Multiaddr) -> str:
        return str(self.folder / f"{components(address)[0].text}.sock")

    def free_path(self, address: Multiaddr) -> str:
        path = self.path(address)
        if os.path.exists(path):  # asyncio would take it away from whoever listens there
            raise ListenError("somebody listens there already", address=str(address))
        return path


class LocalListener:
    """One socket file."""

    def __init__(self, server: asyncio.Server, address: Multiaddr, path: str) -> None:
        self.server = server
        self.path = path
        self.addresses: Sequence[Multiaddr] = [address]

    async def close(self) -> None:
        self.server.close()
        with contextlib.suppress(FileNotFoundError):  # newer Pythons remove it themselves
            os.unlink(self.path)
        # uvloop closes the descriptor in the next turn.
        await asyncio.sleep(0)


async def main(folder: Path) -> None:
    config = plait.HostConfig(transports=lambda: [LocalTransport(folder)])
    async with (
        plait.Host(listen="/memory/1", config=config) as alice,
        plait.Host(listen=(), config=config) as bob,
    ):

        @alice.handle("/shout/1.0.0")
        async def shout(stream: plait.Stream) -> None:
            async for chunk in stream:
                await stream.write(chunk.upper())

        async with bob.open_stream(alice.addresses[0], "/shout/1.0.0") as stream:
            await stream.write(b"hello")
            await stream.write_eof()
            print(await stream.read(), "from", stream.connection.remote_address)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        asyncio.run(main(Path(temporary)))
