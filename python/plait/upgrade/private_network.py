"""Private networks: a key that all members share, and that nobody gets through without."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from plait._core import format_network_key, parse_network_key

__all__ = ["PrivateNetwork"]


class PrivateNetwork:
    """The pre-shared key of a private network (`pnet/Private-Networks-PSK-V1.md`).

    A host with one speaks to nobody without it, on any transport. It shows nothing of the key.
    """

    __slots__ = ("key",)

    def __init__(self, key: bytes) -> None:
        """Raises `ValueError` for anything but 32 bytes."""
        if len(key) != KEY_LENGTH:
            raise ValueError(f"the key of a private network has {KEY_LENGTH} bytes, not {len(key)}")
        self.key = bytes(key)

    @classmethod
    def generate(cls) -> PrivateNetwork:
        """A new network."""
        return cls(secrets.token_bytes(KEY_LENGTH))

    @classmethod
    def parse(cls, file: bytes | str) -> PrivateNetwork:
        """Reads the text of a `swarm.key` file, as kubo writes it.

        Raises:
            ConfigError: it is not one.
        """
        return cls(parse_network_key(file.encode() if isinstance(file, str) else file))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> PrivateNetwork:
        """Reads a `swarm.key` file.

        Raises:
            ConfigError: it is not one.
            OSError: it cannot be read.
        """
        with Path(path).open("rb") as file:
            return cls.parse(file.read(MAX_FILE))

    def to_text(self) -> str:
        """What belongs into a `swarm.key` file, in the encoding that every implementation reads."""
        return format_network_key(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PrivateNetwork) and secrets.compare_digest(self.key, other.key)

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return "<PrivateNetwork>"


KEY_LENGTH = 32
# Many times the longest that means anything.
MAX_FILE = 4096
