"""Every kind of key as identity of either side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from cells import OURS, CheckError, PeersOwnError, Table, Trial, both_ways, gates, pair, run_all
from pairs import Pairs, RefusedError, Side

KINDS = ("ed25519", "secp256k1", "ecdsa", "rsa")
SECURITY = ("noise", "tls")
# Those whose command line chooses the kind of their own identity; the others keep their Ed25519.
TAKES_KEY = ("go", "rust", "js", OURS)
# Another implementation in our place, to show that a limit is the peer's.
REFERENCE = "go"


@dataclass(frozen=True)
class Limit:
    """What a peer cannot do, whoever asks. Each run proves it anew, with `REFERENCE` in our place."""

    peer: str
    kind: str
    reason: str


LIMITS = (
    Limit("js", "ecdsa", "js-libp2p reads no ECDSA identity"),
    Limit("py", "ecdsa", "py-libp2p reads no ECDSA identity"),
)


def identities(pairs: Pairs, built: Sequence[str]) -> Table:
    """Both sides have an identity of the kind, unless the peer's command line knows only one."""
    trials = [
        Trial(
            pair(*sides),
            f"{security}/{kind}",
            gates(*sides),
            "ping",
            partial(attempt, pairs, built, *sides, security, kind),
        )
        for sides in both_ways(built)
        for security in SECURITY
        for kind in KINDS
    ]
    return Table("identities of each kind, over tcp", run_all("identities", trials))


def attempt(pairs: Pairs, built: Sequence[str], dialer: str, listener: str, security: str, kind: str) -> str:
    peer = listener if dialer == OURS else dialer
    limit = next((each for each in LIMITS if (each.peer, each.kind) == (peer, kind)), None)
    if limit is not None:
        if REFERENCE not in built:
            raise CheckError(f"a limit of {peer}, but {REFERENCE} is not here to prove it")
        return prove(pairs, limit, dialer, listener, security)
    ping(pairs, dialer, listener, security, {dialer: kind, listener: kind})
    return "ok"


def prove(pairs: Pairs, limit: Limit, dialer: str, listener: str, security: str) -> str:
    """Passes when the limit is gone, and raises `PeersOwnError` when the reference meets it as well."""
    try:
        ping(pairs, dialer, listener, security, {OURS: limit.kind})
        return "fixed?"
    except RefusedError as error:
        ours = error
    first, second = (REFERENCE if name == OURS else name for name in (dialer, listener))
    try:
        ping(pairs, first, second, security, {REFERENCE: limit.kind})
    except RefusedError as error:
        theirs = error
    else:
        raise CheckError(f"{ours}; yet {pair(first, second)} passes")
    raise PeersOwnError(f"{limit.reason}; {pair(first, second)} fails as well ({theirs}). With us: {ours}")


def ping(pairs: Pairs, dialer: str, listener: str, security: str, kinds: dict[str, str]) -> None:
    first, second = (
        Side(name, ("--key", kinds[name]) if name in TAKES_KEY and name in kinds else ())
        for name in (dialer, listener)
    )
    pairs.ask(first, second, f"tcp/{security}/yamux", "ping", "--count", "1")
