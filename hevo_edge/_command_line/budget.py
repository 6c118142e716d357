"""The call budget: ``budget``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from hevo_edge import Priority
from hevo_edge._command_line.exit_codes import ExitCode
from hevo_edge._command_line.session import Session
from hevo_edge._text.tables import Column

PRIORITIES = [each.name.lower() for each in Priority]
COLUMNS = (
    Column("PROCESS", may_shrink=True),
    Column("CALLS"),
    *(Column(each.upper(), 1) for each in PRIORITIES),
    Column("UNKNOWN", 2),
)


async def budget(session: Session) -> int:
    """Show what is used and free of the call budget, and who uses it; no call is made."""
    found = await session.hevo.budget()
    console = session.console
    if console.as_json:
        console.result(asdict(found), "")
        return ExitCode.SUCCESS
    console.text(str(found))
    rows = [("free now", "", found.free)]
    rows += [(each.owner, f"{sum(each.used.values())}", each.used) for each in found.holders]
    console.results([], COLUMNS, [[name, total, *_texts(counts)] for name, total, counts in rows])
    return ExitCode.SUCCESS


def _texts(counts: Mapping[str, int]) -> list[str]:
    return [
        "" if counts.get(each) is None else f"{counts[each]}" for each in [*PRIORITIES, "unknown"]
    ]
