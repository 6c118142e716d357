"""Signatures for ``help()`` and notebooks: methods whose keywords are declared once, elsewhere."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def with_options(keywords: Any, defaults: Mapping[str, Any]) -> Callable[[F], F]:
    """Show a function's ``**options`` as separate keywords in its signature.

    Type checkers and editors expand ``**options: Unpack[Keywords]`` themselves; this does the same
    for ``inspect.signature``, and so for ``help()``, IPython's ``?`` and completion.

    Args:
        keywords: The TypedDict of the options.
        defaults: The default of each option.
    """

    def decorate(function: F) -> F:
        signature = inspect.signature(function)
        named = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        options = [
            inspect.Parameter(
                name,
                inspect.Parameter.KEYWORD_ONLY,
                default=defaults[name],
                annotation=_text_of(annotation),
            )
            for name, annotation in keywords.__annotations__.items()
        ]
        function.__signature__ = signature.replace(parameters=[*named, *options])  # type: ignore[attr-defined]
        return function

    return decorate


def _text_of(annotation: Any) -> Any:
    """Return the source text of an annotation that was not evaluated."""
    return getattr(annotation, "__forward_arg__", annotation)
