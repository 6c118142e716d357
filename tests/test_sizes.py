"""Files and functions that can be read at once."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MODULES = sorted((ROOT / "hevo_edge").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))
MAX_MODULE, MAX_FUNCTION, MAX_TESTS = 400, 40, 450


def lines_of(path: Path) -> int:
    return len(path.read_text().splitlines())


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the lines of a function's body, without signature and docstring.

    Those two are as long as its parameters, and what is to be said of them.
    """
    body = function.body
    has_docstring = ast.get_docstring(function, clean=False) is not None
    first = body[1] if has_docstring and len(body) > 1 else body[0]
    return (function.end_lineno or 0) - first.lineno + 1


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_and_no_function_is_too_long(path: Path) -> None:
    assert lines_of(path) <= MAX_MODULE
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert body_lines(node) <= MAX_FUNCTION, f"{node.name} in {path.name}"


def test_no_test_file_is_too_long() -> None:
    assert {path.name: lines_of(path) for path in TESTS if lines_of(path) > MAX_TESTS} == {}
