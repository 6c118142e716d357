"""A Pipeline's objects, such as tables, found by the names that a person knows."""

from __future__ import annotations

import difflib
import heapq
import itertools
from collections.abc import Iterable, Sequence
from typing import TypeAlias, overload

from hevo_edge._text import html
from hevo_edge._text.mime_bundle import HasMimeBundle
from hevo_edge._text.printable import quoted, short
from hevo_edge.errors import ConfigurationError
from hevo_edge.models import JobObjectData, ObjectData

__all__ = ["ObjectRef", "PipelineObjects"]

ObjectRef: TypeAlias = str | ObjectData | JobObjectData
"""An object: its id, its name, its name with schema or database and schema before it, with dots;
or what ``Pipeline.objects`` or ``Job.list_objects`` has told of it."""

_NEAR = 3
_SIMILAR = 0.5
_MAX_COMPARED = 200
"""With how many names one that is wrong is compared letter by letter; the loop stands still."""
_MAX_PROBLEMS = 5
"""Of how many names an error says what is wrong with them."""
_SHOWN = 10
"""How many names a repr shows."""


class PipelineObjects(Sequence[ObjectData], HasMimeBundle):
    """Objects of a Pipeline, in Hevo's order: what ``Pipeline.objects`` returns. It never changes.

    Args:
        objects: The objects.
    """

    __slots__ = ("_by_id", "_by_name", "_rows")

    def __init__(self, objects: Iterable[ObjectData] = ()) -> None:
        self._rows = tuple(objects)
        self._by_id = {row.object_id: row for row in self._rows}
        self._by_name: dict[str, list[ObjectData]] = {}
        for row in self._rows:
            for name in _names(row):
                self._by_name.setdefault(name, []).append(row)

    @overload
    def __getitem__(self, index: int, /) -> ObjectData: ...
    @overload
    def __getitem__(self, index: slice, /) -> PipelineObjects: ...
    def __getitem__(self, index: int | slice, /) -> ObjectData | PipelineObjects:
        if isinstance(index, slice):
            return PipelineObjects(self._rows[index])
        return self._rows[index]

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, wanted: object) -> bool:
        return isinstance(wanted, ObjectRef) and bool(self._matching(wanted))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PipelineObjects) and other._rows == self._rows

    def __hash__(self) -> int:
        return hash(tuple(row.object_id for row in self._rows))

    def __repr__(self) -> str:
        names = [quoted(row.name) for row in self._rows[:_SHOWN]]
        more = [f"… {len(self) - _SHOWN:,} more"] if len(self) > _SHOWN else []
        return f"PipelineObjects({', '.join([*names, *more])})"

    def find(self, wanted: ObjectRef) -> ObjectData:
        """Return the one object that is meant.

        A name is taken as it is written, also with quotes or dots in it; its case matters.

        Raises:
            ConfigurationError: when there is none, with similar names; or when there are several
                of that name, with the id of each.
        """
        refs([wanted])
        found = self._matching(wanted)
        if len(found) == 1:
            return found[0]
        object_id, name = _id_and_name(wanted)
        if found:
            listed = ", ".join(f"{short(each.path)} ({short(each.object_id)})" for each in found)
            raise ConfigurationError(f"several objects are called {short(name)}: {listed}")
        raise ConfigurationError(f"there is no object {short(name or object_id)}{self._hint(name)}")

    def find_all(self, wanted: Iterable[ObjectRef] | ObjectRef) -> list[ObjectData]:
        """Return the objects that are meant, in that order, each once.

        Raises:
            ConfigurationError: when none is named, and as ``find``, for the first five wrong names.
        """
        found: dict[str, ObjectData] = {}
        problems: list[str] = []
        for each in refs(wanted):
            if len(problems) == _MAX_PROBLEMS:
                break
            try:
                row = self.find(each)
                found[row.object_id] = row
            except ConfigurationError as error:
                problems.append(str(error))
        if problems:
            raise ConfigurationError("; ".join(problems))
        return list(found.values())

    # -- inside -----------------------------------------------------------------------------------

    def _matching(self, wanted: ObjectRef) -> list[ObjectData]:
        """Return the one of that id; else all of that name."""
        object_id, name = _id_and_name(wanted)
        of_id = self._by_id.get(object_id)
        return self._by_name.get(name, []) if of_id is None else [of_id]

    def _hint(self, name: str) -> str:
        if not self._rows:
            return ": the Pipeline has none"
        paths: dict[str, list[str]] = {}
        for known, rows in self._by_name.items():
            paths.setdefault(known.casefold(), []).extend(row.path for row in rows)
        wanted = name.casefold()
        near = difflib.get_close_matches(wanted, _likely(wanted, paths), _NEAR, _SIMILAR)
        # One that differs in case alone is what was meant.
        of_all = paths.get(wanted) or [path for each in near for path in paths[each]]
        if alike := list(dict.fromkeys(of_all))[:_NEAR]:
            return f"; did you mean {', '.join(map(short, alike))}?"
        some = ", ".join(short(row.path) for row in self._rows[:_NEAR])
        more = f" and {len(self) - _NEAR:,} more" if len(self) > _NEAR else ""
        return f"; there are {some}{more}"

    def _html(self) -> str:
        return html.table(map(_cells, self._rows), len(self))


def refs(wanted: Iterable[ObjectRef] | ObjectRef) -> list[ObjectRef]:
    """Return what names objects as a list: one of them, or any iterable.

    Raises:
        ConfigurationError: when none is named, or for what names nothing.
    """
    if isinstance(wanted, ObjectRef):
        return [wanted]
    if not isinstance(wanted, Iterable):
        raise ConfigurationError(f"objects must be names or ids, not {quoted(wanted)}")
    given = list(wanted)
    if not given:
        raise ConfigurationError("objects must name at least one object")
    for each in given:
        if not isinstance(each, ObjectRef) or not any(map(str.strip, _id_and_name(each))):
            raise ConfigurationError(f"an object is named by its name or id, not {quoted(each)}")
    return given


def _id_and_name(wanted: ObjectRef) -> tuple[str, str]:
    if isinstance(wanted, str):
        return wanted, wanted
    name = wanted.path if isinstance(wanted, ObjectData) else wanted.object_name
    return wanted.object_id or "", name or ""


def _names(row: ObjectData) -> set[str]:
    """Return what an object may be called: each part before its name may be left out."""
    space = row.source_namespace
    parts = () if space is None else (space.k2, space.k1, space.k0)
    known = [part for part in parts if part]
    return {row.name, *(".".join(known[start:]) for start in range(len(known)))}


def _likely(wanted: str, names: Iterable[str]) -> list[str]:
    """Return the names that share most pairs of letters, which costs little for each."""
    pairs = _pairs(wanted)
    return heapq.nlargest(_MAX_COMPARED, names, key=lambda name: len(pairs & _pairs(name)))


def _pairs(name: str) -> set[str]:
    return set(map("".join, itertools.pairwise(name)))


def _cells(row: ObjectData) -> dict[str, object]:
    return {
        "Object": row.name,
        "Status": row.status,
        "Database": row.database_name,
        "Schema": row.schema_name,
        "Load mode": row.load_mode,
        "Replication": row.replication_status,
        "Id": row.object_id,
    }
