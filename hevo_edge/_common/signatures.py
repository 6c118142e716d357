"""Signatures for ``help()`` and notebooks, of methods whose options are said once, elsewhere."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def with_options(keywords: Any, defaults: Mapping[str, Any]) -> Callable[[F], F]:
    """Let a function's ``**options`` show as the keywords that they are.

    Type checkers and editors expand ``**options: Unpack[Keywords]`` themselves; this does the same
    for ``inspect.signature``, and so for ``help()``, IPython's ``?`` and completion.

    Args:
        keywords: The TypedDict of the options.
        defaults: What each option is when it is left out.
    """

    def decorate(function: F) -> F:
        signature = inspect.signature(function)
        kept = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        options = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=defaults.get(name),
                annotation=_plain(annotation),
            )
            for name, annotation in keywords.__annotations__.items()
        ]
        function.__signature__ = signature.replace(parameters=[*kept, *options])  # type: ignore[attr-defined]
        return function

    return decorate


def _plain(annotation: Any) -> Any:
    """Return the text of an annotation that was not evaluated."""
    return getattr(annotation, "__forward_arg__", annotation)
