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

    Attributes:
        unanswered_since: Returns the loop time (seconds) of the last answer, where the last poll
            has failed.

    Args:
        job_id: The Job.
        typical: Returns how long such Jobs take.
        pipeline_id: The Pipeline.
        name_of: Returns a Pipeline's name.
        now: The loop time (seconds).
    """

    __slots__ = ("_data", "_job_id", "_objects_total", "_read_at", "_typical", "unanswered_since")

    def __init__(
        self, job_id: str, typical: TypicalDuration, pipeline_id: int, name_of: NameOf, now: float
    ) -> None:
        super().__init__(pipeline_id, name_of, now)
        self._job_id = job_id
        self._typical = typical
        self.unanswered_since: Callable[[], float | None] = lambda: None
        self._data: JobData | None = None
        self._read_at = now
        # A Job that has failed may no longer count the objects that it has not come to.
        self._objects_total = 0

    def update(self, data: JobData, now: float) -> None:
        """Take a snapshot that was read at a loop time (seconds)."""
        self._data, self._read_at = data, now
        self._objects_total = max(self._objects_total, _objects_counted(data))

    @property
    def ref(self) -> str:
        """The Job's reference."""
        return f"{self.pipeline_id}:{short(self._job_id)}"

    @property
    def job(self) -> str:
        """The Job's id."""
        return short(self._job_id)

    @property
    def type(self) -> str:
        """The Job's type, once it was read."""
        return "" if self._data is None else short(self._data.type)

    @property
    def job_key(self) -> tuple[int, str]:
        """The Job."""
        return self.pipeline_id, self._job_id

    def state(self, now: float) -> str:
        """Return its status; where polls fail, for how long there was no answer."""
        status = "not read yet" if self._data is None else short(self._data.status)
        since = self.unanswered_since()
        return (
            status if since is None else f"{status}, no answer for {format_duration(now - since)}"
        )

    @property
    def kind(self) -> str:
        """What it is counted as, where that is not running."""
        return "" if self.unanswered_since() is None else "without an answer"

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
        if self.is_left or data is None:
            return f"{name}: {self.outcome}" if self.outcome else ""
        status, seconds = short(data.status), data.duration_seconds
        parts = [
            status + ("" if seconds is None else f" after {format_duration(seconds)}"),
            "" if data.events_loaded is None else f"{data.events_loaded:,} events loaded",
            f"{data.events_failed:,} failed" if data.events_failed else "",
            self._objects(data, " objects"),
            self._left(now),
            "" if self.outcome == status else self.outcome,
        ]
        return f"{name}: {', '.join(filter(None, parts))}"

    def row(self, now: float) -> dict[str, object]:
        """Return what a table shows of it."""
        data, row = self._data, super().row(now)
        if data is not None:
            row["Events"] = data.events_loaded
            row["Objects"] = self._objects(data)
            row["Left"] = self._left(now)
        return row

    def _objects(self, data: JobData, what: str = "") -> str:
        """Return how many objects are done, of how many; nothing where the API does not say."""
        if not self._objects_total or data.objects_success is None:
            return ""
        done = data.objects_success + (data.objects_skipped or 0)
        failed = f", {data.objects_failed:,} failed" if data.objects_failed else ""
        return f"{done:,} of {self._objects_total:,}{what}{failed}"

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


def _objects_counted(data: JobData) -> int:
    """Return how many objects the API counts, whatever became of them."""
    over = (data.objects_success, data.objects_skipped, data.objects_failed)
    return sum(count or 0 for count in (*over, data.objects_queued))
