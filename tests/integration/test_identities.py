"""Identities of every kind: hosts that have them, and the command that makes and shows them."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from plait.cli import main
from plait.host import Host, HostConfig
from plait.identity import KeyPair, KeyType
from plait.testing import no_leaks
from plait.transports import MemorySpace, MemoryTransport

ECHO = "/echo/1"
KINDS = [kind.name.lower() for kind in KeyType]


@pytest.mark.one_loop
async def test_hosts_of_all_kinds_connect_to_each_other() -> None:
    space = MemorySpace()
    config = HostConfig(transports=lambda: [MemoryTransport(space)])

    async def echo(stream: Any) -> None:
        await stream.write(await stream.read())

    async with no_leaks(), AsyncExitStack() as stack:

        async def start(kind: KeyType) -> Host:
            host = Host(KeyPair.generate(kind), listen="/memory/0", config=config)
            return await stack.enter_async_context(host)

        listeners = [await start(kind) for kind in KeyType]
        dialers = [await start(kind) for kind in KeyType]
        for listener in listeners:
            listener.handle(ECHO, echo)
        for dialer in dialers:
            for listener in listeners:
                connection = await dialer.connect(listener.addresses[0])
                assert connection.remote_peer == listener.peer_id
                async with await connection.open_stream(ECHO) as stream:
                    await stream.write(b"hello")
                    await stream.write_eof()
                    assert await stream.read() == b"hello"
                # The signed record of identify is proved with the same keys.
                assert (await dialer.identified(connection)).addresses
        for listener in listeners:
            assert {each.remote_peer for each in listener.connections} == {each.peer_id for each in dialers}


class TestCommand:
    @pytest.mark.parametrize("kind", KINDS)
    def test_a_new_key_is_shown_as_it_was_made(
        self, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = str(tmp_path / "key")
        assert main(["id", "new", "--json", "--key", kind, path]) == 0
        made = json.loads(capsys.readouterr().out)
        assert made["key_type"] == kind
        assert main(["id", "show", "--json", path]) == 0
        assert json.loads(capsys.readouterr().out) == made
        assert main(["id", "show", path]) == 0
        peer, _, key = capsys.readouterr().out.splitlines()
        assert (peer, key) == (made["peer"], f"{kind} {made['public_key']}")

    def test_bits(self, tmp_path: Path) -> None:
        assert main(["id", "new", "--key", "rsa", "--bits", "2056", str(tmp_path / "key")]) == 0
        # The modulus is in it as it is, with a zero in front because its first bit is set.
        assert len(KeyPair.load(tmp_path / "key").public_key.data) == 294 + 1

    @pytest.mark.parametrize("kind", list(KeyType), ids=KINDS)
    @pytest.mark.parametrize("encoding", ["pem", "der"])
    def test_files_of_other_programs_are_shown(
        self, kind: KeyType, encoding: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        pair = KeyPair.generate(kind)
        pair.save(tmp_path / "key", encoding=encoding)
        assert main(["id", "show", str(tmp_path / "key")]) == 0
        assert capsys.readouterr().out.startswith(str(pair.peer_id))

    @pytest.mark.parametrize(
        "arguments",
        [
            ["new", "--bits", "4096"],
            ["new", "--key", "ecdsa", "--bits", "4096"],
            ["new", "--key", "rsa", "--bits", "1024"],
            ["new", "--key", "rsa", "--bits", "8193"],
        ],
    )
    def test_what_cannot_be(
        self, arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["id", *arguments, str(tmp_path / "key")]) == 2
        assert capsys.readouterr().err.startswith("plait: ")
        assert not list(tmp_path.iterdir())

    @pytest.mark.parametrize(
        "arguments",
        [
            ["new", "--key", "dsa"],
            ["new", "--key", "rsa", "--bits", "many"],
            ["show", "--key", "rsa"],
            ["show", "--bits", "2048"],
            ["lose"],
            [],
        ],
    )
    def test_what_is_no_option(self, arguments: list[str], tmp_path: Path) -> None:
        with pytest.raises(SystemExit, match="2"):
            main(["id", *arguments, str(tmp_path / "key")])

    @pytest.mark.parametrize("before", [["--json", "new"], ["new", "--json"]])
    def test_where_shared_options_may_stand(
        self, before: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = str(tmp_path / "key")
        assert main(["id", *before, path]) == 0
        assert json.loads(capsys.readouterr().out)["file"] == path

    @pytest.mark.parametrize("arguments", [["-q", "new"], ["new", "-q"], ["new"]])
    def test_quiet(self, arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["id", *arguments, str(tmp_path / "key")]) == 0
        assert ("keep it secret" in capsys.readouterr().err) is ("-q" not in arguments)

    def test_an_encrypted_key(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        KeyPair.generate().save(tmp_path / "key", encoding="pem", password="secret")
        assert main(["id", "show", str(tmp_path / "key")]) == 1
        assert "encrypted" in capsys.readouterr().err
