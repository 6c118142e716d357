"""What ``help`` shows of a class's fields: the docstring below each, read when it is asked for.

Editors and the reference read these docstrings in the source; Python drops them. pydantic can keep
them (``use_attribute_docstrings``), by searching the source for each class whenever it is imported.
"""

from __future__ import annotations

import ast
import inspect
import sys
from functools import lru_cache
from typing import TypeVar

_T = TypeVar("_T")
_TITLE = "Attributes:"


class DocWithFields:
    """The docstring of a class, with an ``Attributes:`` section for its fields and its bases'.

    Python asks what it finds as a class's ``__doc__`` for the text, if it is a descriptor.

    Args:
        text: The docstring as it is written.
        module: The module in which the class is written, whatever its ``__module__`` becomes.
        name: Its qualified name there.
    """

    def __init__(self, text: str, module: str, name: str) -> None:
        self.written: str = inspect.cleandoc(text)
        self.place: tuple[str, str] = (module, name)

    def __get__(self, instance: object, owner: type) -> str:
        text, docs = self.written, field_docs(owner)
        if not docs or _TITLE in text:
            return text
        lines = [f"    {name}: " + doc.replace("\n", "\n        ") for name, doc in docs.items()]
        return "\n".join([text, "", _TITLE, *lines])


def show_fields(cls: type[_T]) -> type[_T]:
    """Let ``help`` show the docstrings of the class's fields; a decorator."""
    doc = vars(cls).get("__doc__")
    if isinstance(doc, str):
        type.__setattr__(cls, "__doc__", DocWithFields(doc, cls.__module__, cls.__qualname__))
    return cls


def field_docs(cls: type) -> dict[str, str]:
    """Return the docstrings of a class's fields by name, those of its bases first.

    Nothing for a class without ``show_fields``, or whose source is not there.
    """
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        doc = vars(base).get("__doc__")
        if isinstance(doc, DocWithFields):
            module, name = doc.place
            found |= _docs_in(module).get(name, {})
    return found


@lru_cache(maxsize=32)
def _docs_in(module: str) -> dict[str, dict[str, str]]:
    try:
        tree = ast.parse(inspect.getsource(sys.modules[module]))
    except (KeyError, OSError, SyntaxError, TypeError):
        return {}
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    return {node.name: _docs_of(node) for node in classes}


def _docs_of(node: ast.ClassDef) -> dict[str, str]:
    found: dict[str, str] = {}
    for field, below in zip(node.body, node.body[1:], strict=False):
        if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)):
            continue
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
            found[field.target.id] = inspect.cleandoc(str(below.value.value))
    return found
