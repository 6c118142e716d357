"""Faults that change what is asked, or what the reply says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from hevo_edge.emulator.faults import Fault
from hevo_edge.emulator.service import Call

_AGAIN = "again-"
"""How the cursors of ``endless_list`` begin."""
_FIELD_KINDS = frozenset({"unknown_value", "missing_field", "shift", "in_seconds"})


def edit_call(call: Call, faults: Sequence[Fault], *, reads: bool) -> Call:
    """Apply the faults that change what is asked; ``reads`` says whether it is a GET."""
    params, query, now = dict(call.params), dict(call.query), call.now
    if query.get("cursor", "").startswith(_AGAIN):
        del query["cursor"]
    for fault in faults:
        if fault.kind == "stale" and reads:
            now -= fault.options["seconds"]
        elif fault.kind == "other_id":
            params.update({name: i for name, i in fault.options.items() if name in params})
    return replace(call, params=params, query=query, now=now)


def edit_body(body: Any, faults: Sequence[Fault], query: Mapping[str, str]) -> Any:
    """Apply the faults that change what the reply to a query says."""
    for fault in faults:
        if fault.kind in _FIELD_KINDS:
            body = edit_fields(body, fault)
        elif fault.kind == "endless_list" and isinstance(body, dict):
            cursor = _cursor_after(query.get("cursor", ""), fault.options["cycle"])
            body = {**body, "has_more": True, "next_cursor": cursor}
    return body


def edit_fields(body: Any, fault: Fault) -> Any:
    """Apply a fault of a field to a body and to its rows."""
    if isinstance(body, list):
        return [edit_fields(row, fault) for row in body]
    if not isinstance(body, dict):
        return body
    changed = {
        key: edit_fields(value, fault) if key == "data" else value for key, value in body.items()
    }
    name = fault.options["name"]
    if name not in changed:
        return changed
    if fault.kind == "missing_field":
        del changed[name]
    elif fault.kind == "unknown_value":
        changed[name] = fault.options["value"]
    elif isinstance(changed[name], int | float):
        value = changed[name]
        changed[name] = value // 1000 if fault.kind == "in_seconds" else value + fault.options["by"]
    return changed


def _cursor_after(cursor: str, cycle: int | None) -> str:
    number = int(cursor.removeprefix(_AGAIN)) + 1 if cursor.startswith(_AGAIN) else 0
    return f"{_AGAIN}{number if cycle is None else number % cycle}"
