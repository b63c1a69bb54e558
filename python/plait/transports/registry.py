"""Which transport serves which address."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from plait.exceptions import ConfigError

if TYPE_CHECKING:
    from multiaddr import Multiaddr

    from plait.abc import Transport

__all__ = ["TransportRegistry"]


class TransportRegistry:
    """Finds a transport for an address.

    Args:
        transports: asked in this order; the first that knows an address gets it.
    """

    def __init__(self, transports: Iterable[Transport]) -> None:
        self._transports = tuple(transports)
        if not self._transports:
            raise ConfigError("a host needs at least one transport")

    @property
    def transports(self) -> Sequence[Transport]:
        return self._transports

    def for_dialing(self, address: Multiaddr) -> Transport | None:
        """The transport that can dial the address (without `/p2p`), or `None`."""
        return next((each for each in self._transports if each.can_dial(address)), None)

    def for_listening(self, address: Multiaddr) -> Transport | None:
        """The transport that can listen on the address, or `None`."""
        return next((each for each in self._transports if each.can_listen(address)), None)
