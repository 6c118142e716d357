"""The base of async context managers."""

from __future__ import annotations

import pytest

from hevo_edge._common.async_context import AsyncContext


class Door(AsyncContext):
    def __init__(self) -> None:
        self.left: list[BaseException | None] = []

    async def _leave(self, error: BaseException | None, /) -> None:
        self.left.append(error)


async def test_it_is_entered_as_itself_and_left_once() -> None:
    door = Door()
    async with door as entered:
        assert entered is door
        assert door.left == []
    assert door.left == [None]


async def test_an_error_is_passed_on_and_not_swallowed() -> None:
    door, error = Door(), KeyError("x")
    with pytest.raises(KeyError) as caught:
        async with door:
            raise error
    assert caught.value is error
    assert door.left == [error]


async def test_a_subclass_must_say_how_it_is_left() -> None:
    with pytest.raises(NotImplementedError):
        async with AsyncContext():
            pass
