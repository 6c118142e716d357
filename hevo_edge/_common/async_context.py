"""A base for async context managers, so that each writes no ``__aexit__`` signature of its own."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

from hevo_edge._common.per_loop import running_loop

if TYPE_CHECKING:
    from typing_extensions import Self


class AsyncContext:
    """An async context manager that is entered as itself; a subclass says how it is left.

    Raises:
        ConfigurationError: on entering, when asyncio has no running event loop, as under trio.
    """

    __slots__ = ()

    async def __aenter__(self) -> Self:
        running_loop()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._leave(error)

    async def _leave(self, error: BaseException | None, /) -> None:
        """Release what is held.

        Args:
            error: What ends the ``async with`` block; None when it ends without an error.
        """
        raise NotImplementedError
