"""Progress of awaited Jobs on stderr, for notebooks and scripts.

A few Jobs get a line for each change; for many, one line now and then counts them.
"""

from __future__ import annotations

import contextlib
import sys

from hevo_edge._jobs.handle import JobHandle
from hevo_edge._text.durations import format_duration
from hevo_edge._text.printable import printable, short

MAX_LINE_EACH = 5
"""Up to so many Jobs, each gets lines of its own."""
COUNT_INTERVAL = 10.0
"""Seconds between the lines that count many Jobs."""


def print_job(job: JobHandle) -> None:
    """Print one line with the Job's status, duration and counts."""
    data = job.data
    if data is None:
        return
    seconds = data.duration_seconds
    elapsed = "" if seconds is None else f" after {format_duration(seconds)}"
    loaded = "" if data.events_loaded is None else f", {data.events_loaded:,} events loaded"
    failed = f", {data.events_failed:,} failed" if data.events_failed else ""
    name = f"Pipeline {job.pipeline_id} {short(data.type)} Job {short(job.id)}"
    _print(f"{name}: {short(data.status)}{elapsed}{loaded}{failed}")


class ProgressCounter:
    """Counts the ends of many waits, and prints a line now and then.

    Args:
        total: How many there are.
        now: The loop time (seconds) at which the wait begins.
    """

    def __init__(self, total: int, now: float) -> None:
        self._total = total
        self._began = now
        self._printed_at = now
        self._ended = 0
        self._failed = 0
        _print(f"waiting for {total:,} Jobs")

    def count(self, *, failed: bool, now: float) -> None:
        """Count the end of a wait, and print a line if the last one is old enough."""
        self._ended += 1
        self._failed += failed
        if self._ended < self._total and now < self._printed_at + COUNT_INTERVAL:
            return
        self._printed_at = now
        failures = f", {self._failed:,} of them with an error" if self._failed else ""
        left = self._total - self._ended
        _print(
            f"{self._ended:,} of {self._total:,} waits are over{failures}, {left:,} to go, "
            f"after {format_duration(now - self._began)}"
        )


def _print(text: str) -> None:
    # A service has no stderr, and in a notebook it may be anything: that must not end a wait.
    with contextlib.suppress(Exception):
        if sys.stderr is not None:
            sys.stderr.write(f"{printable(text)}\n")
