"""How far awaited Jobs are, on stderr: for notebooks and scripts.

A few Jobs get a line for each change; for many, one line now and then counts them.
"""

from __future__ import annotations

import contextlib
import sys

from hevo_edge._jobs.handle import JobHandle


def show(job: JobHandle) -> None:
    """Print one line that says how far the Job is."""
    data = job.data
    if data is None:
        return
    seconds = data.duration_seconds
    took = "" if seconds is None else f" after {duration(seconds)}"
    loaded = "" if data.events_loaded is None else f", {data.events_loaded:,} events loaded"
    failed = f", {data.events_failed:,} failed" if data.events_failed else ""
    name = f"Pipeline {job.pipeline_id} {data.type} Job {job.id}"
    _say(f"{name}: {data.status}{took}{loaded}{failed}\n")


FEW = 5
"""Up to so many Jobs, each gets lines of its own."""
PAUSE = 10.0
"""Seconds between the lines about many."""


class Tally:
    """Counts the ends of many Jobs.

    Args:
        total: How many there are.
        now: The loop time (seconds) at which the wait begins.
    """

    def __init__(self, total: int, now: float) -> None:
        self._total = total
        self._began = now
        self._said_at = now
        self._ended = 0
        self._failed = 0
        _say(f"waiting for {total:,} Jobs\n")

    def count(self, *, failed: bool, now: float) -> None:
        """Take in the end of a wait, and say so if the last line is old enough."""
        self._ended += 1
        self._failed += failed
        if self._ended < self._total and now < self._said_at + PAUSE:
            return
        self._said_at = now
        failures = f", {self._failed:,} of them not well" if self._failed else ""
        left = self._total - self._ended
        _say(
            f"{self._ended:,} of {self._total:,} waits are over{failures}, {left:,} to go, "
            f"after {duration(now - self._began)}\n"
        )


def _say(text: str) -> None:
    # A line that nobody can read any more must not end a wait.
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(text)


def duration(seconds: float) -> str:
    """Return seconds as people say them: ``45s``, ``3m05s``, ``2h00m``."""
    whole = round(seconds)
    if whole < 60:  # noqa: PLR2004
        return f"{whole}s"
    if whole < 3600:  # noqa: PLR2004
        return f"{whole // 60}m{whole % 60:02}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02}m"
