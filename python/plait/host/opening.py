"""What `connect` and `open_stream` give: something on its way."""

from __future__ import annotations

from collections.abc import Callable, Generator
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar

from plait.connection import Stream

__all__ = ["Opening"]


class _Closable(Protocol):
    async def close(self) -> None: ...


T = TypeVar("T", bound="_Closable", covariant=True)


class Opening(Generic[T]):
    """Something on its way: await it to have it, or enter it to have it closed at the end."""

    __slots__ = ("_open", "_opened")

    def __init__(self, open_: Callable[[], Any]) -> None:
        self._open = open_
        self._opened: Any = None

    def __await__(self) -> Generator[Any, None, T]:
        opened: Generator[Any, None, T] = self._open().__await__()
        return opened

    async def __aenter__(self) -> T:
        self._opened = await self._open()
        opened: T = self._opened
        return opened

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        opened, self._opened = self._opened, None
        if isinstance(opened, Stream) and kind is not None:
            # What was sent so far is not all there was to send; the peer must not take it for that.
            opened.reset()
        else:
            await opened.close()
