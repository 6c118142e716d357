"""Whether the reference documents what a type checker sees of the public surface, and nothing else.

Run by ``nox -s docs``: ``python tests/typing/reference.py SITE/objects.inv VERIFYTYPES.json``. A name
may be handed on by several modules, so what is compared is where it is defined. The inner modules
of the emulator and of the adapters have no underscore, and are left out.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
import zlib
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

_APART = (
    "hevo_edge.__main__",
    "hevo_edge.emulator",
    "hevo_edge.integrations",
    "hevo_edge.pytest_plugin",
)
_NOT_THERE = object()
_OF_ALL_TYPED_DICTS = {"get", "pop", "setdefault", "update"}


Members = dict[str, set[str]]
"""The names in each class and module that the type checker knows of."""


def documented(inventory: Path, members: Members) -> set[str]:
    """Return the names that the built reference has an anchor for, or an Attributes section."""
    content = inventory.read_bytes()
    for _ in range(4):  # the header's lines
        content = content.partition(b"\n")[2]
    lines = zlib.decompress(content).decode().splitlines()
    names = {line.split(" ", 1)[0] for line in lines if " py:" in line}
    places = set()
    for name in names:
        if name.startswith("hevo_edge.") and not name.startswith(_APART):
            places.add(_place(name, members))
            places |= {_place(f"{name}.{attribute}", members) for attribute in _attributes(name)}
    return places - {""}


def public(symbols: list[dict[str, Any]], members: Members) -> set[str]:
    """Return what ``pyright --verifytypes`` takes for public, members of classes included."""
    places = set()
    for symbol in symbols:
        name = symbol["name"]
        if not symbol["isExported"] or name.startswith(_APART) or not _is_given(name):
            continue
        value, place = _value(name), _place(name, members)
        places.add(place)
        for base in inspect.getmro(value) if place and inspect.isclass(value) else ():
            of_base = members.get(_origin(base), set())
            places |= {_place(f"{name}.{member}", members) for member in of_base}
    return places - {""}


def _is_given(name: str) -> bool:
    """Say whether the module of a name gives it, or the class that it belongs to."""
    owner, _, last = name.rpartition(".")
    of = _value(owner)
    return _is_given(owner) if inspect.isclass(of) else last in getattr(of, "__all__", {last})


def _place(name: str, members: Members) -> str:
    """Return where what a name leads to is defined; nothing for what is inner, or no name at all."""
    owner, _, last = name.rpartition(".")
    value, of = _value(name), _value(owner)
    if last.startswith("_") or last == "model_config" or inspect.ismodule(value):
        return ""
    if inspect.isclass(of):
        is_given = of.__name__.endswith("Keywords") and last in _OF_ALL_TYPED_DICTS
        homes = [
            _origin(base)
            for base in inspect.getmro(of)
            if last in members.get(_origin(base), set()) | set(vars(base))
        ]
        return "" if is_given or not homes else f"{homes[0]}.{last}"
    if last not in getattr(of, "__all__", {last}) or value is _NOT_THERE:
        return ""
    if inspect.isclass(value) or inspect.isfunction(value):
        return _origin(value)
    return "" if any(part.startswith("_") for part in owner.split(".")) else name


def _attributes(name: str) -> list[str]:
    """Return the attributes that a class's docstring lists."""
    value = _value(name)
    text = (inspect.getdoc(value) or "") if inspect.isclass(value) else ""
    section = text.partition("Attributes:\n")[2].split("\n\n")[0]
    listed = re.findall(r"^ {4}([a-z_, ]+):", section, re.MULTILINE)
    return [each.strip() for line in listed for each in line.split(",")]


def _origin(value: Any) -> str:
    """Return where it is written; models say that of their docstring, and name another module."""
    place = (value.__module__, value.__qualname__)
    return ".".join(getattr(vars(value).get("__doc__"), "place", place))


@cache
def _value(name: str) -> Any:
    parts = name.split(".")
    for split in range(len(parts), 0, -1):
        try:
            value: Any = import_module(".".join(parts[:split]))
        except ImportError:
            continue
        for part in parts[split:]:
            value = getattr(value, part, _NOT_THERE)
        return value
    return _NOT_THERE


def main() -> int:
    """Print what only one of them knows; return 1 if there is any."""
    report = json.loads(Path(sys.argv[2]).read_text())
    symbols = report["typeCompleteness"]["symbols"]
    members: Members = {}
    for symbol in symbols:
        owner, _, member = symbol["name"].rpartition(".")
        members.setdefault(owner, set()).add(member)
    in_reference, is_public = documented(Path(sys.argv[1]), members), public(symbols, members)
    for place in sorted(is_public - in_reference):
        print(f"public, but not in the reference: {place}")
    for place in sorted(in_reference - is_public):
        print(f"in the reference, but not public: {place}")
    print(f"{len(is_public & in_reference)} public names are in the reference")
    return int(is_public != in_reference)


if __name__ == "__main__":
    sys.exit(main())
