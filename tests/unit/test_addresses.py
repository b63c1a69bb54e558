"""Multiaddrs: the vectors, what is refused and where the caret is, and taking addresses apart."""

import pickle

import pytest
from multiaddr import Multiaddr

from plait import addresses
from plait.addresses import Endpoint
from plait.exceptions import InvalidMultiaddrError
from plait.identity import PeerId

PEER = "12D3KooWBtg3aaRMjxwedh83aGiUkwSxDwUZkzuJcfaqUmo7R3pq"
PEER_CID32 = "bafzaajaiaejcahwr5d5ofrfbis4l5d6uwr57hu5tjodrypfm6yaq6dsc2r2pzyt6"
PEER_CID36 = "k51qzi5uqu5dgy8qsq67hbz73jqkw87l3fgf4a91qb0d9b5173tir7n4vxk1oe"
OTHER = "QmaeANgBs1DTSxWSrPPtobgQuxW8XTfsS4ydbK4rCHzqxG"
PEER_HEX = "a503260024080112201ed1e8fae2c4a144b8be8fd4b47bf3d3b34b871c3cacf6010f0e42d474fce27e"
HASH = "uEiAw_J9GnCB0Gd_dCqtfJ6hslzyU5AVI25N1zKLpFZc7mQ"
HASH_HEX = "d20322122030fc9f469c207419dfdd0aab5f27a86c973c94e40548db9375cca2e915973b99"

VECTORS = {
    "/ip4/127.0.0.1/tcp/4001": "047f000001060fa1",
    f"/ip4/127.0.0.1/tcp/4001/p2p/{PEER}": "047f000001060fa1" + PEER_HEX,
    "/ip6/::1/udp/4001/quic-v1": "290000000000000000000000000000000191020fa1cd03",
    f"/ip4/1.2.3.4/udp/4001/quic-v1/webtransport/certhash/{HASH}": "040102030491020fa1cd03d103" + HASH_HEX,
    f"/ip4/1.2.3.4/udp/4001/webrtc-direct/certhash/{HASH}": "040102030491020fa19802" + HASH_HEX,
    "/dns4/example.com/tcp/443/tls/ws": "360b6578616d706c652e636f6d0601bbc003dd03",
    "/dns4/example.com/tcp/443/wss": "360b6578616d706c652e636f6d0601bbde03",
    "/ip4/1.2.3.4/tcp/443/tls/sni/example.com/ws": "04010203040601bbc003c1030b6578616d706c652e636f6ddd03",
    "/dnsaddr/bootstrap.libp2p.io": "3813626f6f7473747261702e6c69627032702e696f",
    "/ip6zone/eth0/ip6/fe80::1/tcp/4001": "2a046574683029fe800000000000000000000000000001060fa1",
    "/p2p-circuit": "a202",
    "/memory/12": "8906000000000000000c",
    "/unix/run/plait.sock": "90030f2f72756e2f706c6169742e736f636b",
    "/dns4/tcp/tcp/80": "3603746370060050",
    "/dns4/my_service/tcp/80": "360a6d795f73657276696365060050",
}


@pytest.mark.parametrize(("text", "binary"), VECTORS.items())
def test_vectors(text, binary):
    address = addresses.parse(text)
    assert bytes(address).hex() == binary
    assert str(address) == text
    assert addresses.parse(bytes.fromhex(binary)) == address
    assert pickle.loads(pickle.dumps(address)) == address


@pytest.mark.parametrize(
    ("given", "canonical"),
    [
        ("/ip4/1.2.3.4/tcp/4001/", "/ip4/1.2.3.4/tcp/4001"),
        (f"/ipfs/{PEER}", f"/p2p/{PEER}"),
        (f"/p2p/{PEER_CID32}", f"/p2p/{PEER}"),
        (f"/p2p/{PEER_CID36}", f"/p2p/{PEER}"),
        ("/ip6/0:0:0:0:0:0:0:1/tcp/0004", "/ip6/::1/tcp/4"),
        (
            "/certhash/f122030fc9f469c207419dfdd0aab5f27a86c973c94e40548db9375cca2e915973b99",
            f"/certhash/{HASH}",
        ),
    ],
)
def test_forms_that_mean_the_same(given, canonical):
    assert str(addresses.parse(given)) == canonical
    assert addresses.parse(given) == addresses.parse(canonical)


def test_is_a_multiaddr_of_the_package():
    address = addresses.parse("/ip4/1.2.3.4/tcp/4001")
    assert isinstance(address, Multiaddr)
    assert address == Multiaddr("/ip4/1.2.3.4/tcp/4001")
    assert hash(address) == hash(Multiaddr("/ip4/1.2.3.4/tcp/4001"))
    assert addresses.parse(Multiaddr("/ip4/1.2.3.4/tcp/4001")) == address
    assert addresses.parse(address) is address
    assert str(address.encapsulate("/ws")) == "/ip4/1.2.3.4/tcp/4001/ws"
    assert str(address.decapsulate_code(6)) == "/ip4/1.2.3.4"
    assert repr(address) == "<Multiaddr /ip4/1.2.3.4/tcp/4001>"


def test_cid_that_the_package_put_into_the_bytes():
    assert addresses.peer_of(Multiaddr(f"/p2p/{PEER_CID32}")) == PeerId.from_text(PEER)


def test_values_of_rare_protocols_are_read_by_the_package():
    onion = "/onion3/vww6ybal4bd7szmgncyruucpgfkqahzddi37ktceo3ah7ngmcopnpyyd:1234"
    address = addresses.parse(onion)
    assert addresses.parse(bytes(address)) == address
    assert str(address) == onion


def test_repeated_text_is_not_parsed_again():
    assert addresses.parse("/ip4/9.9.9.9/tcp/1") is addresses.parse("/ip4/9.9.9.9/tcp/1")


@pytest.mark.parametrize(
    ("text", "bad"),
    [
        ("ip4/1.2.3.4", "i"),
        ("/ip4/1.2.3/tcp/4", "1.2.3"),
        ("/ip4/010.1.1.1/tcp/4", "010.1.1.1"),
        ("/ip6/1.2.3.4/tcp/4", "1.2.3.4"),
        ("/ip4/1.2.3.4/tpc/80", "tpc"),
        ("/ip4/1.2.3.4/tcp/65536", "65536"),
        ("/ip4/1.2.3.4/tcp/+80", "+80"),
        ("/ip4/1.2.3.4/tcp/8_0", "8_0"),
        ("/ip4/1.2.3.4/tcp/٨٠", "٨٠"),
        ("/ip4=1.2.3.4/tcp/80", "ip4=1.2.3.4"),
        ("/ip4/1.2.3.4/tcp", "tcp"),
        ("/ip4", "ip4"),
        ("/unix/", "unix"),
        ("/ip4/1.2.3.4/quic-v1/foo", "foo"),
        ("/ip4/1.2.3.4//tcp/4", "/"),
        ("/dns4/exa mple/tcp/4", "exa mple"),
        ("/dns4/" + "x" * 254, "x" * 254),
        ("/p2p/Qmxx", "Qmxx"),
        ("/p2p/abc", "abc"),
        ("/certhash/abc", "abc"),
        ("/onion3/a:1", "a:1"),
        ("/memory/-1", "-1"),
        ("/memory/18446744073709551616", "18446744073709551616"),
    ],
)
def test_refused_text_and_the_caret(text, bad):
    with pytest.raises(InvalidMultiaddrError) as caught:
        addresses.parse(text)
    error = caught.value
    assert error.text == text
    assert text[error.position : error.position + error.length] == bad
    caret = str(error).splitlines()[-1]
    assert caret == "  " + " " * error.position + "^" * len(bad)


@pytest.mark.parametrize(
    "text",
    ["", "/", "//", "/dns4/a\nb/tcp/1", "/ip4/1.2.3.4\x1b[0m", "/ws" * 17, "/dns4/" + "x" * 3000],
)
def test_refused_text_that_is_not_shown(text):
    with pytest.raises(InvalidMultiaddrError) as caught:
        addresses.parse(text)
    assert caught.value.text is None
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "binary",
    [
        "",
        "047f0000",
        "ff",
        "ffffffffffffffffff01",
        "06",
        "0600",
        "3605aa",
        "3600",
        "3602c3",
        "3603612f62",
        "3603610a62",
        "a50301aa",
        "a503",
        "d20301aa",
        "d2030412200102",
        "800200",
        "dd03" * 17,
        "36ff07" + "61" * 1023,
        "9003022f61060fa1",
    ],
)
def test_refused_bytes(binary):
    with pytest.raises(InvalidMultiaddrError) as caught:
        addresses.parse(bytes.fromhex(binary))
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    ("binary", "why"),
    [
        ("ffffffffffffffffff01", "more than nine bytes"),
        ("9003cc08" + "2f" + "61" * 1099, "more than a multiaddr may have"),
    ],
)
def test_bounds_of_the_binary_form(binary, why):
    with pytest.raises(InvalidMultiaddrError, match=why):
        addresses.parse(bytes.fromhex(binary))


def test_every_cut_of_an_address_is_refused_or_shorter():
    whole = bytes(addresses.parse(f"/ip4/127.0.0.1/tcp/4001/p2p/{PEER}"))
    readable = []
    for length in range(1, len(whole)):
        try:
            readable.append(str(addresses.parse(whole[:length])))
        except InvalidMultiaddrError:
            continue
    assert readable == ["/ip4/127.0.0.1", "/ip4/127.0.0.1/tcp/4001"]


def test_bad_addresses_do_not_spoil_a_list():
    given = [b"\xff", "/ip4/1.2.3.4/tcp/1", "/nonsense", bytes.fromhex("0401020304060001"), b""]
    assert [str(address) for address in addresses.parse_many(given)] == ["/ip4/1.2.3.4/tcp/1"]


def test_components():
    parts = addresses.components("/ip4/1.2.3.4/tcp/80/ws")
    assert [(part.name, part.text) for part in parts] == [("ip4", "1.2.3.4"), ("tcp", "80"), ("ws", None)]
    assert parts[1].value == b"\x00\x50"
    assert addresses.join(parts) == addresses.parse("/ip4/1.2.3.4/tcp/80/ws")


def test_split_peer():
    peer = PeerId.from_text(PEER)
    bare = addresses.parse("/ip4/1.2.3.4/tcp/80")
    assert addresses.split_peer(f"/ip4/1.2.3.4/tcp/80/p2p/{PEER}") == (bare, peer)
    assert addresses.split_peer(bare) == (bare, None)
    relayed = f"/ip4/1.2.3.4/tcp/80/p2p/{OTHER}/p2p-circuit"
    assert addresses.split_peer(relayed) == (addresses.parse(relayed), None)
    assert addresses.split_peer(f"{relayed}/p2p/{PEER}") == (addresses.parse(relayed), peer)
    assert addresses.split_peer(f"/p2p/{PEER}") == (addresses.parse(f"/p2p/{PEER}"), peer)


def test_peer_of():
    relayed = f"/ip4/1.2.3.4/tcp/80/p2p/{OTHER}/p2p-circuit"
    assert addresses.peer_of("/ip4/1.2.3.4/tcp/80") is None
    assert addresses.peer_of(f"/ip4/1.2.3.4/tcp/80/p2p/{PEER}/ws") == PeerId.from_text(PEER)
    assert addresses.peer_of(relayed) is None
    assert addresses.peer_of(f"{relayed}/p2p/{PEER}") == PeerId.from_text(PEER)


def test_with_peer():
    peer = PeerId.from_text(PEER)
    whole = addresses.parse(f"/ip4/1.2.3.4/tcp/80/p2p/{PEER}")
    assert addresses.with_peer("/ip4/1.2.3.4/tcp/80", peer) == whole
    assert addresses.with_peer(whole, peer) == whole
    with pytest.raises(InvalidMultiaddrError, match="another peer"):
        addresses.with_peer(f"/ip4/1.2.3.4/tcp/80/p2p/{OTHER}", peer)


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("/ip4/1.2.3.4/tcp/80", Endpoint("ip4", "1.2.3.4", "tcp", 80, ())),
        (f"/dns6/a.b/udp/1/quic-v1/p2p/{PEER}", Endpoint("dns6", "a.b", "udp", 1, ("quic-v1", "p2p"))),
        ("/ip6zone/eth0/ip6/fe80::1/tcp/1", Endpoint("ip6", "fe80::1%eth0", "tcp", 1, ())),
        ("/ip4/1.2.3.4", None),
        ("/ip4/1.2.3.4/ws", None),
        ("/dnsaddr/a.b/tcp/1", None),
        ("/memory/1", None),
        ("/tcp/80", None),
        ("/ip6zone/eth0/ip4/1.2.3.4/tcp/1", None),
        ("/ip6zone/eth0", None),
    ],
)
def test_host_port(text, endpoint):
    assert addresses.host_port(text) == endpoint


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (("1.2.3.4", 80), "/ip4/1.2.3.4/tcp/80"),
        (("::1", 80, 0, 0), "/ip6/::1/tcp/80"),
        (("::ffff:1.2.3.4", 80, 0, 0), "/ip4/1.2.3.4/tcp/80"),
        (("fe80::1%eth0", 80, 0, 3), "/ip6zone/eth0/ip6/fe80::1/tcp/80"),
    ],
)
def test_from_socket(name, text):
    assert str(addresses.from_socket(name)) == text


def test_with_host_and_port():
    assert str(addresses.with_host("/dns4/a.b/tcp/80/ws", "1.2.3.4")) == "/ip4/1.2.3.4/tcp/80/ws"
    assert str(addresses.with_host("/dns/a.b/tcp/80", "fe80::1%eth0")) == "/ip6zone/eth0/ip6/fe80::1/tcp/80"
    assert str(addresses.with_host("/ip6zone/eth0/ip6/fe80::1/tcp/80", "::1")) == "/ip6/::1/tcp/80"
    assert str(addresses.with_port("/ip4/1.2.3.4/tcp/0/ws", 80)) == "/ip4/1.2.3.4/tcp/80/ws"
    for wrong in (
        lambda: addresses.with_host("/memory/1", "1.2.3.4"),
        lambda: addresses.with_port("/memory/1", 1),
    ):
        with pytest.raises(InvalidMultiaddrError):
            wrong()


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("/ip4/127.0.0.1/tcp/1", {"loopback"}),
        ("/ip6/::1/tcp/1", {"loopback"}),
        ("/ip6/::ffff:127.0.0.1/tcp/1", {"loopback"}),
        ("/ip4/0.0.0.0/tcp/1", {"unspecified"}),
        ("/ip6/::/tcp/1", {"unspecified"}),
        ("/ip4/169.254.1.1/tcp/1", {"link_local"}),
        ("/ip6zone/eth0/ip6/fe80::1/tcp/1", {"link_local"}),
        ("/ip4/192.168.1.1/tcp/1", set()),
        ("/ip4/8.8.8.8/tcp/1", {"public"}),
        ("/dns4/example.com/tcp/1", {"public"}),
        ("/memory/1", set()),
        (f"/ip4/8.8.8.8/tcp/1/p2p/{OTHER}/p2p-circuit", {"public", "relayed"}),
    ],
)
def test_kinds_of_addresses(text, kinds):
    asked = {"loopback", "unspecified", "link_local", "public", "relayed"}
    assert {kind for kind in asked if getattr(addresses, f"is_{kind}")(text)} == kinds
