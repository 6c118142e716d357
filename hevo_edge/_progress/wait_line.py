"""The line of one wait."""

from __future__ import annotations

from collections.abc import Callable

from hevo_edge._progress.lines import Line, NameOf
from hevo_edge._text.durations import format_duration
from hevo_edge._text.printable import short
from hevo_edge.models import JobData

TypicalDuration = Callable[[int, str], "float | None"]
"""Returns how many seconds a Pipeline's Jobs of a type usually take, if it is known."""


class WaitLine(Line):
    """The wait for one Job.

    Args:
        job_id: The Job.
        typical: Returns how long such Jobs take.
        pipeline_id: The Pipeline.
        name_of: Returns a Pipeline's name.
        now: The loop time (seconds).
    """

    __slots__ = ("_data", "_job_id", "_read_at", "_typical")

    def __init__(
        self, job_id: str, typical: TypicalDuration, pipeline_id: int, name_of: NameOf, now: float
    ) -> None:
        super().__init__(pipeline_id, name_of, now)
        self._job_id = job_id
        self._typical = typical
        self._data: JobData | None = None
        self._read_at = now

    def update(self, data: JobData, now: float) -> None:
        """Take a snapshot that was read at a loop time (seconds)."""
        self._data, self._read_at = data, now

    @property
    def job(self) -> str:
        """The Job, with its type where it is known."""
        kind = "" if self._data is None else f"{short(self._data.type)} "
        return f"{kind}{short(self._job_id)}"

    @property
    def job_key(self) -> tuple[int, str]:
        """The Job."""
        return self.pipeline_id, self._job_id

    def state(self, now: float) -> str:  # noqa: ARG002 -- that of a trigger counts down
        """Return its status."""
        return "not read yet" if self._data is None else short(self._data.status)

    def elapsed(self, now: float) -> float:
        """Return the seconds that the Job has run; as long as nobody knows, those of the wait."""
        data = self._data
        if data is None or data.duration_seconds is None:
            return super().elapsed(now)
        since = 0.0 if data.is_terminal else min(now, self.ended_at) - self._read_at
        return data.duration_seconds + since

    def text(self, now: float) -> str:
        """Return the line to print."""
        data = self._data
        name = f"Pipeline {self.pipeline} {'the' if data is None else short(data.type)} Job "
        name += short(self._job_id)
        if self.is_left:
            return f"{name}: {self.outcome}"
        if data is None:
            return ""
        seconds = data.duration_seconds
        parts = [
            short(data.status) + ("" if seconds is None else f" after {format_duration(seconds)}"),
            "" if data.events_loaded is None else f"{data.events_loaded:,} events loaded",
            f"{data.events_failed:,} failed" if data.events_failed else "",
            _objects(data, " objects"),
            self._left(now),
        ]
        return f"{name}: {', '.join(filter(None, parts))}"

    def row(self, now: float) -> dict[str, object]:
        """Return what a table shows of it."""
        data, row = self._data, super().row(now)
        if data is not None:
            row["Events"] = data.events_loaded
            row["Objects"] = _objects(data)
            row["Left"] = self._left(now)
        return row

    def _left(self, now: float) -> str:
        """Return how long the Job may still run, by how long such Jobs have taken."""
        data = self._data
        if data is None or data.is_terminal or self.outcome is not None:
            return ""
        typical = self._typical(self.pipeline_id, data.type)
        if typical is None or data.duration_seconds is None:
            return ""
        left = typical - self.elapsed(now)
        return f"about {format_duration(left)} left" if left > 0 else "longer than usual"


def _objects(data: JobData, what: str = "") -> str:
    """Return how many objects are done, of how many; nothing where the API does not say."""
    done = [data.objects_success, data.objects_failed, data.objects_skipped]
    counts = [count for count in (*done, data.objects_queued) if count is not None]
    if not sum(counts):
        return ""
    return f"{sum(count or 0 for count in done):,} of {sum(counts):,}{what}"
