"""Private networks: who has the key gets in, who has another one or none does not."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import partial
from itertools import permutations
from pathlib import Path

from cells import OURS, CheckError, Table, Trial, both_ways, gates, pair, run_all
from pairs import Pairs, RefusedError, Side
from plait import PrivateNetwork
from private_js import private_js

# Those whose command line takes a key; js's is ours.
MEMBERS = ("go", "js", OURS)
LEGEND = (
    "between go and js nothing gates; a js listener may wait for more of what another key made unreadable: "
    "here 3 s, by default 10 s, as our dialer does; "
    "rust's command line takes no key; py-libp2p's has another cipher than everybody else's"
)
INSIDE, OUTSIDE = PrivateNetwork.generate(), PrivateNetwork.generate()
# column: security, the dialer's network, the listener's, whether they get together
CASES: dict[str, tuple[str, PrivateNetwork | None, PrivateNetwork | None, bool]] = {
    "noise": ("noise", INSIDE, INSIDE, True),
    "tls": ("tls", INSIDE, INSIDE, True),
    "another key": ("noise", OUTSIDE, INSIDE, False),
    "dialer without": ("noise", None, INSIDE, False),
    "listener without": ("noise", INSIDE, None, False),
}
# What our dialer has to say when both sides have a key.
NOT_INSIDE = "in our private network"


def private_networks(cache: Path, built: Sequence[str]) -> Table:
    names = [name for name in built if name in MEMBERS]
    commands = {}
    if "js" in names:
        if command := private_js(cache):
            commands["js"] = command
        else:
            names.remove("js")
    pairs = Pairs(cache, commands)
    with tempfile.TemporaryDirectory(prefix="plait-interop-") as folder:
        keys = Path(folder)
        trials = [
            Trial(
                pair(*sides),
                column,
                OURS in sides and gates(*sides),
                "ping",
                partial(attempt, pairs, keys, *sides, column),
            )
            for sides in (*both_ways(names), *permutations(names, 2))
            for column in CASES
        ]
        cells = run_all("private networks", trials)
    return Table("private networks, over tcp and yamux", cells, LEGEND)


def attempt(pairs: Pairs, keys: Path, dialer: str, listener: str, column: str) -> str:
    security, network, theirs, together = CASES[column]
    first, second = member(dialer, network, keys), member(listener, theirs, keys)
    try:
        pairs.ask(first, second, f"tcp/{security}/yamux", "ping", "--count", "1")
    except RefusedError as error:
        if together:
            raise
        if dialer == OURS and network and theirs and NOT_INSIDE not in str(error):
            raise CheckError(f"refused without a word about the network: {error}") from None
        return "refused"
    if not together:
        raise CheckError("they talked")
    return "ok"


def member(name: str, network: PrivateNetwork | None, keys: Path) -> Side:
    if network is None:
        return Side(name)
    if name != OURS:
        return Side(name, ("--psk", network.key.hex()))
    file = keys / f"{network.key.hex()[:8]}.key"
    file.write_text(network.to_text())
    return Side(name, ("--psk", str(file)))
