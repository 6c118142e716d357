"""``**options`` that show as keywords."""

from __future__ import annotations

import inspect
from typing import Any, TypedDict

import pytest

from hevo_edge._common.signatures import with_options


class Keywords(TypedDict, total=False):
    size: int
    colour: str | None


DEFAULTS: dict[str, Any] = {"size": 3, "colour": None}


def test_options_become_keywords_with_their_defaults() -> None:
    @with_options(Keywords, DEFAULTS)
    def draw(shape: str, *, filled: bool = False, **options: Any) -> dict[str, Any]:
        """Draw it."""
        return {"shape": shape, "filled": filled, **options}

    signature = inspect.signature(draw)
    assert str(signature) == (
        "(shape: 'str', *, filled: 'bool' = False, size: 'int' = 3, colour: 'str | None' = None) "
        "-> 'dict[str, Any]'"
    )
    assert not any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())
    assert draw("box", size=5) == {"shape": "box", "filled": False, "size": 5}
    assert (draw.__name__, draw.__doc__) == ("draw", "Draw it.")


def test_the_name_of_the_options_makes_no_difference() -> None:
    @with_options(Keywords, DEFAULTS)
    def draw(**wait: Any) -> None: ...

    assert list(inspect.signature(draw).parameters) == ["size", "colour"]


def test_a_keyword_without_a_default_is_a_mistake() -> None:
    with pytest.raises(KeyError, match="colour"):

        @with_options(Keywords, {"size": 3})
        def draw(**options: Any) -> None: ...


def test_a_keyword_that_is_there_already_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="duplicate parameter name"):

        @with_options(Keywords, DEFAULTS)
        def draw(*, size: int, **options: Any) -> None: ...
