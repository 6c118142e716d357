"""The reference spells out ``**options``: each keyword with its type and default.

An extension of griffe, which reads signatures off the source; ``help()`` sees them so already.
"""

from __future__ import annotations

import ast
import enum
import inspect
from typing import Any

import griffe


class SpelledOut(griffe.Extension):
    """Puts the keywords that ``with_options`` shows in place of ``**options``."""

    def on_function(self, *, func: griffe.Function, **_: Any) -> None:
        """Called by griffe for each function, when all of the package was read."""
        if not any("with_options" in f"{each.value}" for each in func.decorators):
            return
        shown = inspect.signature(griffe.dynamic_import(func.path)).parameters.values()
        there = {each.name for each in func.parameters}
        for each in list(func.parameters):
            if each.kind is griffe.ParameterKind.var_keyword:
                del func.parameters[each.name]
        for each in shown:
            if each.name not in there and each.kind is each.KEYWORD_ONLY:
                func.parameters.add(parameter(each, func))


def parameter(shown: inspect.Parameter, func: griffe.Function) -> griffe.Parameter:
    """Return a keyword as griffe has it, its type linked to where it is documented."""
    node = ast.parse(f"{shown.annotation}", mode="eval").body
    value = shown.default
    default = (
        f"{type(value).__name__}.{value.name}" if isinstance(value, enum.Enum) else repr(value)
    )
    return griffe.Parameter(
        shown.name,
        annotation=griffe.safe_get_annotation(node, parent=func.parent or func.module),
        kind=griffe.ParameterKind.keyword_only,
        default=default,
    )
