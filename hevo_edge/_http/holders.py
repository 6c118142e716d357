"""Who holds how many slots, in the words of a ``Budget``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from hevo_edge._http.ratelimit import Priority
from hevo_edge._http.window import Holder
from hevo_edge.budget import BudgetHolder

UNTOLD = "unknown"
"""The priority of calls of other processes of this machine: their file does not tell it."""


def named(counts: Mapping[Priority, int]) -> dict[str, int]:
    """Return counts by the names of the priorities, the most urgent first."""
    return {each.name.lower(): counts[each] for each in sorted(counts)}


def most_first(holders: Iterable[Holder]) -> tuple[BudgetHolder, ...]:
    """Return the processes that hold slots, those with the most first."""
    taken: dict[str, Counter[Priority | None]] = {}
    for each in holders:
        # Behind machine and pid may stand which client of the process it is.
        process = "/".join(each.owner.split("/")[:2])
        taken.setdefault(process, Counter()).update(each.taken)
    found = [BudgetHolder(owner=owner, used=_used(counts)) for owner, counts in taken.items()]
    return tuple(sorted(found, key=lambda each: (-sum(each.used.values()), each.owner)))


def _used(taken: Mapping[Priority | None, int]) -> dict[str, int]:
    known = named({each: count for each, count in taken.items() if each is not None and count})
    return {**known, UNTOLD: taken[None]} if taken.get(None) else known
