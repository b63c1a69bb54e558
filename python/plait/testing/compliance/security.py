"""What a security protocol has to do."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias
from unittest import SkipTest

from plait.exceptions import (
    ConnectionLostError,
    NegotiationError,
    PeerIdMismatchError,
    PlaitError,
    UpgradeError,
)
from plait.identity import KeyPair
from plait.testing.compliance.session_pair import PROTOCOL, End, Party, SessionPair
from plait.upgrade.options import MPLEX, YAMUX

if TYPE_CHECKING:
    from plait import abc
    from plait.types import ProtocolId

__all__ = ["SECURITY_CHECKS", "SecurityCase"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityCase:
    """A security protocol, and what it claims.

    Attributes:
        security: a name of plait's own, or a plug-in.
        encrypts: nobody on the path can read.
        authenticates: nobody on the path can change anything unnoticed, and each side proves who it is.
        carries_muxers: the handshake chooses the muxer.
    """

    security: ProtocolId | abc.SecurityProtocol
    encrypts: bool = True
    authenticates: bool = True
    carries_muxers: bool = True

    def parties(self, muxers: Sequence[Sequence[ProtocolId]] = ((YAMUX,), (YAMUX,))) -> tuple[Party, Party]:
        return Party(1, self.security, muxers[0]), Party(2, self.security, muxers[1])


async def both_sides_learn_who_the_other_is(case: SecurityCase) -> None:
    """Whoever begins, both end up with the other's peer id, the same protocols and a working channel."""
    for swapped in (False, True):
        pair = SessionPair(*case.parties(), swapped=swapped)
        pair.run()
        for end, other in pair.ends:
            agreed = end.established
            assert agreed is not None, f"no connection: {end.reason!r}"
            assert agreed.remote_peer == bytes(other.party.identity.peer_id)
            assert agreed.remote_public_key == other.party.identity.public_key.to_protobuf()
            assert agreed.security == _name(case)
            assert agreed.muxer == YAMUX
        assert _talk(pair) == (BODY, BODY), "what was said did not arrive"


async def another_peer_than_expected_is_refused(case: SecurityCase) -> None:
    """Whoever expects somebody else ends with `PeerIdMismatchError` that names both, in either role."""
    stranger = KeyPair.from_seed(bytes(32)).peer_id
    for swapped in (False, True):
        pair = SessionPair(*case.parties(), swapped=swapped, expected=stranger)
        _check_mismatch(pair, pair.dialer, pair.listener, stranger)
        pair = SessionPair(*case.parties(), swapped=swapped, expected_dialer=stranger)
        _check_mismatch(pair, pair.listener, pair.dialer, stranger)


async def bytes_may_come_in_any_pieces(case: SecurityCase) -> None:
    """How the wire cuts the bytes changes nothing."""
    parties = case.parties()
    for piece in (1, 2, 3, 7, 64, 1000):
        pair = SessionPair(*parties)
        pair.dialer.wire.piece = pair.listener.wire.piece = piece
        pair.run()
        assert _talk(pair) == (BODY, BODY), f"in pieces of {piece}: {pair.dialer.reason!r}"


async def much_data_arrives_as_it_was(case: SecurityCase) -> None:
    """Some MiB in both directions, over many records."""
    pair = SessionPair(*case.parties())
    pair.dialer.wire.piece, pair.listener.wire.piece = 9_973, 65_537
    pair.run()
    body = random.Random(1).randbytes(3 << 20)
    there, back = _talk(pair, body)
    assert there == body
    assert back == body


async def the_peer_is_told_of_no_muxer_in_common(case: SecurityCase) -> None:
    """With nothing in common both sides end with `NegotiationError`, wherever the muxer is chosen."""
    pair = SessionPair(*case.parties(((YAMUX,), (MPLEX,))))
    pair.run()
    pair.advance(PATIENCE)
    for end, _ in pair.ends:
        assert isinstance(end.reason, NegotiationError), repr(end.reason)


async def the_muxer_is_chosen_early(case: SecurityCase) -> None:
    """The first of the initiator's muxers that both have, without a further round trip."""
    if not case.carries_muxers:
        raise SkipTest("the handshake carries no muxers")
    for ours, theirs, agreed in (
        ((YAMUX, MPLEX), (MPLEX, YAMUX), YAMUX),
        ((MPLEX, YAMUX), (YAMUX, MPLEX), MPLEX),
        ((MPLEX, YAMUX), (YAMUX,), YAMUX),
    ):
        pair = SessionPair(*case.parties((ours, theirs)))
        pair.run()
        for end, _ in pair.ends:
            assert end.established is not None, f"no connection: {end.reason!r}"
            found = (end.established.muxer, end.established.early_muxer)
            assert found == (agreed, True), f"the muxer is {found[0]}, early: {found[1]}; not {agreed}, early"
        assert _talk(pair) == (BODY, BODY), "what was said did not arrive"


async def a_cut_at_any_byte_ends_both_sides(case: SecurityCase) -> None:
    """What arrived is a beginning of what was sent, and nobody takes a cut for an orderly end."""
    parties = case.parties()
    for toward, size in enumerate(_healthy(parties)):
        for offset in range(size):
            pair = SessionPair(*parties)
            pair.ends[toward][0].wire.cut = offset
            where = f"cut after byte {offset} of {('dialer', 'listener')[toward]}"
            _check_damage(pair, where)
            for end, _ in pair.ends:
                kinds = UpgradeError | ConnectionLostError
                assert isinstance(end.reason, kinds), f"{where}: {end.reason!r}"


async def a_byte_that_was_changed_is_never_delivered(case: SecurityCase) -> None:
    """One bit, anywhere: what arrives is a beginning of what was sent, and if it is not all, it is known."""
    if not case.authenticates:
        raise SkipTest("the protocol protects nothing")
    parties = case.parties()
    for toward, size in enumerate(_healthy(parties)):
        for offset in range(size):
            pair = SessionPair(*parties)
            pair.ends[toward][0].wire.garble = offset
            where = f"byte {offset} of {('dialer', 'listener')[toward]} changed"
            arrived = _check_damage(pair, where)
            # Some protocols have bytes that mean nothing.
            has_failed = any(end.reason is not None for end, _ in pair.ends)
            assert has_failed or arrived == (BODY, BODY), f"{where}, and nobody noticed"


async def nobody_else_can_take_part(case: SecurityCase) -> None:
    """What one connection sent, said again by somebody who has no key, makes no other connection."""
    if not case.authenticates:
        raise SkipTest("anybody may claim to be anybody")
    parties = case.parties()
    pair = SessionPair(*parties)
    pair.run()
    assert _talk(pair) == (BODY, BODY), "what was said did not arrive"
    for recorded, victim, role in (
        (pair.dialer.sent, parties[1], "responder"),
        (pair.listener.sent, parties[0], "initiator"),
    ):
        session = victim.session("responder" if role == "responder" else "initiator", None)
        end = End(victim, session)
        session.transmit(1 << 17, pair.now)
        for position in range(0, len(recorded), 50):
            end.events += session.receive_bytes(bytes(recorded[position : position + 50]), pair.now)
            session.transmit(1 << 17, pair.now)
        assert not end.opened, "a recording opened a stream"
        assert end.reason is not None or end.established is None


async def nonsense_ends_the_handshake(case: SecurityCase) -> None:
    """Bytes that mean nothing end it with an error of the upgrade, never with an exception in the loop."""
    party = case.parties()[1]
    proposal = _healthy_proposal(case)
    for seed in range(100):
        noise = random.Random(seed)
        end = End(party, party.session("responder", None))
        for data in (proposal, noise.randbytes(noise.randrange(1, 3000))):
            end.events += end.session.receive_bytes(data, 1000.0)
            end.session.transmit(1 << 17, 1000.0)
        end.events += end.session.handle_timeout(1000.0 + PATIENCE)
        assert end.established is None
        assert isinstance(end.reason, UpgradeError), repr(end.reason)


async def nobody_on_the_path_can_read(case: SecurityCase) -> None:
    """What streams carry is nowhere on the wire, nor is the protocol that they speak."""
    if not case.encrypts:
        raise SkipTest("the protocol encrypts nothing")
    pair = SessionPair(*case.parties())
    pair.run()
    assert _talk(pair) == (BODY, BODY), "what was said did not arrive"
    for end, _ in pair.ends:
        assert BODY not in end.sent
        assert b"/plait/compliance" not in end.sent


def _name(case: SecurityCase) -> str:
    return case.security if isinstance(case.security, str) else case.security.protocol


def _talk(pair: SessionPair, body: bytes | None = None) -> tuple[bytes, bytes]:
    """Sends a body there and back, as far as it goes; what arrived at each end."""
    body = BODY if body is None else body
    try:
        stream = pair.dialer.session.open_stream([PROTOCOL], pair.now)
    except PlaitError:
        return b"", b""
    assert stream is not None
    there, back = bytearray(), bytearray()
    written = returned = 0
    for _ in range(10_000):
        taken = pair.dialer.write(stream, body, written)
        written += taken
        if written == len(body):
            pair.dialer.session.close_write(stream)
        pair.run()
        echoed = 0
        if pair.listener.opened:
            (theirs,) = pair.listener.opened
            there += pair.listener.read(theirs)[0]
            echoed = pair.listener.write(theirs, bytes(there), returned)
            returned += echoed
            pair.run()
        got = pair.dialer.read(stream)[0]
        back += got
        if not taken and not echoed and not got:
            break
    return bytes(there), bytes(back)


def _check_damage(pair: SessionPair, where: str) -> tuple[bytes, bytes]:
    pair.run()
    there, back = _talk(pair)
    pair.advance(PATIENCE)
    assert BODY.startswith(there), f"{where}: the listener got {there!r}"
    assert BODY.startswith(back), f"{where}: the dialer got {back!r}"
    for end, _ in pair.ends:
        assert end.reason is None or isinstance(end.reason, PlaitError), f"{where}: {end.reason!r}"
    return there, back


def _check_mismatch(pair: SessionPair, end: End, other: End, stranger: object) -> None:
    pair.run()
    pair.advance(PATIENCE)
    assert end.established is None
    error = end.reason
    assert isinstance(error, PeerIdMismatchError), repr(error)
    assert (error.expected, error.actual) == (stranger, other.party.identity.peer_id)


def _healthy(parties: tuple[Party, Party]) -> tuple[int, int]:
    """How many bytes each side sends in an exchange in which nothing goes wrong."""
    pair = SessionPair(*parties)
    pair.run()
    assert _talk(pair) == (BODY, BODY), "what was said did not arrive"
    return len(pair.dialer.sent), len(pair.listener.sent)


def _healthy_proposal(case: SecurityCase) -> bytes:
    """What a dialer says before its handshake."""
    name = _name(case).encode() + b"\n"
    header = b"/multistream/1.0.0\n"
    return bytes([len(header)]) + header + bytes([len(name)]) + name


SecurityCheck: TypeAlias = Callable[[SecurityCase], Awaitable[None]]

SECURITY_CHECKS: Sequence[SecurityCheck] = (
    both_sides_learn_who_the_other_is,
    another_peer_than_expected_is_refused,
    bytes_may_come_in_any_pieces,
    much_data_arrives_as_it_was,
    the_peer_is_told_of_no_muxer_in_common,
    the_muxer_is_chosen_early,
    a_cut_at_any_byte_ends_both_sides,
    a_byte_that_was_changed_is_never_delivered,
    nobody_else_can_take_part,
    nonsense_ends_the_handshake,
    nobody_on_the_path_can_read,
)

BODY = b"a body that has to come back as it is, or in part, or not at all"
# Longer than any deadline of a session with default bounds.
PATIENCE = 120.0
