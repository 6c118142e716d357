"""Counts verdicts, and returns them as one Markdown table."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable

from .judge import BREACHES, ENDINGS, Verdict

Verdicts = dict[int, Verdict]
"""The verdicts on one caller, by the trials' numbers."""
_SHOWN = 12  # failing trials listed for each breach
_QUICK = 1.0  # seconds of lag
_TITLES = {
    "duplicate": "**more than one run started**",
    "wrong": "**somebody else's Job, claimed for certain**",
    "lost": "**lost: reported as not running, or given up without a ticket**",
    "untyped": "**an undocumented error**",
    "hang": "**a call that lasted longer than allowed**",
}


def table(callers: dict[str, Verdicts]) -> str:
    """Return the table, a column for each caller."""
    rows: list[tuple[str, Callable[[list[Verdict]], str]]] = [
        ("trials", lambda all_: str(len(all_)))
    ]
    rows += [(_TITLES[name], _share(_has_breach(name))) for name in BREACHES]
    rows += [(f"ended: {ending}", _share(_has_ending(ending))) for ending in ENDINGS]
    claims = {verdict.claim for verdicts in callers.values() for verdict in verdicts.values()}
    rows += [
        (f'claimed as "{claim}": its own', _own(claim))
        for claim in sorted(claims - {None}, key=str)
    ]
    rows += [
        ("POSTs that start a run", lambda all_: str(sum(v.posts for v in all_))),
        ("runs started by them", lambda all_: str(sum(v.runs for v in all_))),
        ("processes killed", lambda all_: str(sum(v.killed for v in all_))),
        ("429s from the call limit", lambda all_: str(sum(v.limited for v in all_))),
        ("requests a trial, mean", lambda all_: _mean([v.requests for v in all_])),
        ("quiet trials that ended with a Job", lambda all_: str(len(_quiet(all_)))),
        (
            "quiet: seconds from the Job's appearing to the handle, median / 95 % / most",
            lambda all_: _spread([v.delay or 0.0 for v in _quiet(all_)]),
        ),
        (
            "quiet: requests, lag below 1 s, mean / most",
            lambda all_: _requests([v for v in _quiet(all_) if (v.lag or 0.0) < _QUICK]),
        ),
        (
            "quiet: requests, longer lag, mean / most",
            lambda all_: _requests([v for v in _quiet(all_) if (v.lag or 0.0) >= _QUICK]),
        ),
    ]
    lines = [f"| | {' | '.join(callers)} |", f"|---|{'---|' * len(callers)}"]
    for title, count in rows:
        cells = [count(list(verdicts.values())) for verdicts in callers.values()]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def failures(which: str, caller: str, verdicts: Verdicts) -> str:
    """Return which trials of a caller failed, and how to replay them.

    Args:
        which: The options that select these trials.
        caller: The caller.
        verdicts: The verdicts on it.
    """
    lines: list[str] = []
    for name in BREACHES:
        numbers = sorted(number for number, verdict in verdicts.items() if name in verdict.breaches)
        if not numbers:
            continue
        more = f" and {len(numbers) - _SHOWN} more" if len(numbers) > _SHOWN else ""
        lines.append(f"{caller}, {name}: {', '.join(map(str, numbers[:_SHOWN]))}{more}")
        lines += [f"  {number}: {verdicts[number].breaches[name][:150]}" for number in numbers[:3]]
    if lines:
        command = f"python -m tests.campaign {which} --caller {caller} --only NUMBER --verbose"
        lines.append(f"replay one: {command}")
    return "\n".join(lines)


def has_breach(verdicts: Verdicts) -> bool:
    """Tell whether any breach happened."""
    return any(verdict.breaches for verdict in verdicts.values())


def _has_breach(name: str) -> Callable[[Verdict], bool]:
    return lambda verdict: name in verdict.breaches


def _has_ending(name: str) -> Callable[[Verdict], bool]:
    return lambda verdict: verdict.ending == name


def _share(applies: Callable[[Verdict], bool]) -> Callable[[list[Verdict]], str]:
    def count(verdicts: list[Verdict]) -> str:
        hits = sum(map(applies, verdicts))
        return f"{hits} ({100 * hits / len(verdicts):.2f} %)" if hits else "0"

    return count


def _own(claim: str | None) -> Callable[[list[Verdict]], str]:
    def count(verdicts: list[Verdict]) -> str:
        are_own = [verdict.is_own for verdict in verdicts if verdict.claim == claim]
        return f"{sum(are_own)} of {len(are_own)}"

    return count


def _quiet(verdicts: list[Verdict]) -> list[Verdict]:
    return [verdict for verdict in verdicts if verdict.is_quiet and verdict.delay is not None]


def _mean(values: list[int]) -> str:
    return f"{statistics.mean(values):.1f}" if values else "-"


def _spread(values: list[float]) -> str:
    if not values:
        return "-"
    ordered = sorted(values)
    high = ordered[math.ceil(0.95 * len(ordered)) - 1]
    return f"{statistics.median(ordered):.1f} / {high:.1f} / {ordered[-1]:.1f}"


def _requests(verdicts: list[Verdict]) -> str:
    counts = [verdict.requests for verdict in verdicts]
    return f"{_mean(counts)} / {max(counts)}" if counts else "-"
