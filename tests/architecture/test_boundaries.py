"""What the import contracts cannot say: who touches the native module, sockets and the loop's transports."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent.parent / "python" / "plait"
MODULES = {str(path.relative_to(PACKAGE)): path for path in sorted(PACKAGE.rglob("*.py"))}
NATIVE = "plait._core._rust"
# The loop's and asyncio's ways to a socket.
WIRE = {
    "create_connection",
    "create_datagram_endpoint",
    "create_server",
    "create_unix_connection",
    "create_unix_server",
    "add_reader",
    "add_writer",
    "open_connection",
    "sock_accept",
    "sock_connect",
    "sock_recv",
    "sock_recv_into",
    "sock_sendall",
    "start_server",
}
# What the benchmark compares with has nothing of plait under it; the layers come apart with bare sockets.
BARE = {
    "bench/ceilings.py",
    "bench/subjects/asyncio_tls.py",
    "bench/subjects/raw_tcp.py",
    "bench/works/bare_sessions.py",
}


def is_wire_room(name: str) -> bool:
    return name.startswith("transports/") or name == "connection/socket_driver.py" or name in BARE


@pytest.mark.parametrize("name", [name for name in MODULES if not name.startswith("_core/")])
def test_only_core_imports_the_native_module(name: str) -> None:
    assert [module for module in imported(MODULES[name]) if module.startswith(NATIVE)] == []


@pytest.mark.parametrize("name", [name for name in MODULES if not is_wire_room(name)])
def test_only_transports_and_the_driver_touch_sockets(name: str) -> None:
    tree = ast.parse(MODULES[name].read_text())
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert used & WIRE == set()


def imported(module: Path) -> Iterator[str]:
    """Full names of all that a file imports, inside functions too."""
    package = ["plait", *module.relative_to(PACKAGE).parent.parts]
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)
