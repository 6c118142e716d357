"""Jobs as an immutable sequence, and as a table of other tools."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, overload

from hevo_edge._common.optional import needed
from hevo_edge._jobs.handle import COUNTS, row_of
from hevo_edge._text import html
from hevo_edge._text.mime_bundle import HasMimeBundle
from hevo_edge._text.printable import short
from hevo_edge.errors import ConfigurationError
from hevo_edge.history._plot import plot
from hevo_edge.history._summary import HistorySummary
from hevo_edge.job import Job
from hevo_edge.models import JobData

if TYPE_CHECKING:
    import matplotlib.axes
    import pandas
    import polars

_TEXTS = ("job_id", "ref", "type", "status")
_TIMES = ("created", "updated", "ended")


class JobHistory(Sequence[Job[JobData]], HasMimeBundle):
    """Jobs, newest first: what ``Pipeline.job_history`` returns. It never changes.

    Slices are histories too, and ``JobHistory(jobs)`` makes one of any Jobs, such as those of
    several Pipelines.

    Args:
        jobs: Jobs of which something was read. They are sorted by their creation; if one has no
            time, they keep their order.

    Raises:
        ConfigurationError: for anything else.
    """

    __slots__ = ("_jobs",)

    def __init__(self, jobs: Iterable[Job[JobData]] = ()) -> None:
        given = [_checked(job) for job in jobs]
        if all(job.data.created_ts is not None for job in given):
            given.sort(key=lambda job: job.data.created_ts or 0, reverse=True)
        self._jobs = tuple(given)

    @overload
    def __getitem__(self, index: int, /) -> Job[JobData]: ...
    @overload
    def __getitem__(self, index: slice, /) -> JobHistory: ...
    def __getitem__(self, index: int | slice, /) -> Job[JobData] | JobHistory:
        if isinstance(index, slice):
            return JobHistory(self._jobs[index])
        return self._jobs[index]

    def __len__(self) -> int:
        return len(self._jobs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, JobHistory) and other._jobs == self._jobs

    def __hash__(self) -> int:
        return hash(self._jobs)

    # -- as data ----------------------------------------------------------------------------------

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return a flat dict for each Job, newest first; what is not known is None.

        ``pipeline_id`` (int), ``job_id``, ``ref``, ``type`` and ``status`` (str), ``created``,
        ``updated`` and ``ended`` (aware datetimes in UTC), ``duration`` (timedelta), and the
        counts (int): ``events_ingested``, ``events_loaded``, ``events_failed``,
        ``objects_success``, ``objects_queued``, ``objects_skipped``, ``objects_failed``,
        ``billable_events``, ``non_billable_events``.
        """
        return [_as_dict(job) for job in self._jobs]

    def to_pandas(self) -> pandas.DataFrame:
        """Return a pandas DataFrame, a row a Job, with the columns of ``to_dicts``.

        Times are ``datetime64[ms, UTC]``, durations ``timedelta64[ms]``, counts the nullable
        ``Int64``.

        Raises:
            ConfigurationError: when pandas cannot be imported.
        """
        pd: Any = needed("pandas", "JobHistory.to_pandas")
        np = needed("numpy", "JobHistory.to_pandas")  # pandas is built on it

        def series(name: str, values: list[Any]) -> Any:
            # By way of NumPy, as pandas 2 takes no datetime that nanoseconds cannot hold.
            if name in _TIMES:
                naive = [value and value.replace(tzinfo=None) for value in values]
                return pd.Series(np.array(naive, "datetime64[ms]")).dt.tz_localize("UTC")
            if name == "duration":
                return pd.Series(np.array(values, "timedelta64[ms]"))
            return pd.Series(values, dtype=types.get(name, "str"))

        types = {"pipeline_id": "int64"} | dict.fromkeys(COUNTS, "Int64")
        columns = self._columns()
        frame: pandas.DataFrame = pd.DataFrame(
            {name: series(name, values) for name, values in columns.items()}
        )
        return frame

    def to_polars(self) -> polars.DataFrame:
        """Return a polars DataFrame, a row a Job, with the columns of ``to_dicts``.

        Times are ``Datetime("ms", "UTC")``, durations ``Duration("ms")``, counts ``Int64``.

        Raises:
            ConfigurationError: when polars cannot be imported.
        """
        pl = needed("polars", "JobHistory.to_polars")
        types = dict.fromkeys(_TIMES, pl.Datetime("ms", "UTC"))
        types |= {"pipeline_id": pl.Int64, "duration": pl.Duration("ms")}
        types |= dict.fromkeys(_TEXTS, pl.String) | dict.fromkeys(COUNTS, pl.Int64)
        columns = self._columns()
        frame: polars.DataFrame = pl.DataFrame(
            columns, schema={name: types[name] for name in columns}
        )
        return frame

    def summary(self) -> HistorySummary:
        """Return how many Jobs succeeded, how long they took, and which was the last."""
        return HistorySummary.of(self._jobs)

    def plot(self, ax: matplotlib.axes.Axes | None = None) -> matplotlib.axes.Axes:
        """Plot how long each Job has run, by the time of its creation, coloured by its status.

        A Job without a time or a duration is left out.

        Args:
            ax: Where to draw; by default a new figure of pyplot.

        Returns:
            The Axes.

        Raises:
            ConfigurationError: when matplotlib cannot be imported.
        """
        if ax is not None:
            return plot(self._jobs, ax)
        return plot(
            self._jobs,
            needed("matplotlib.pyplot", "JobHistory.plot").subplots(layout="constrained")[1],
        )

    # -- inside -----------------------------------------------------------------------------------

    def _columns(self) -> dict[str, list[Any]]:
        rows = self.to_dicts()
        return {name: [row[name] for row in rows] for name in _NAMES}

    def _html(self) -> str:
        return html.table(map(row_of, self._jobs), len(self), f"{self.summary()}")

    def __repr__(self) -> str:
        statuses = Counter(str(job.status) for job in self._jobs)
        counted = ", ".join(f"{short(name)} {count:,}" for name, count in statuses.most_common(5))
        return f"JobHistory({len(self):,} Jobs{': ' if counted else ''}{counted})"


def _checked(job: Any) -> Job[JobData]:
    if not isinstance(job, Job) or job.data is None:
        raise ConfigurationError(
            f"a history is made of Jobs of which something was read (Job.refresh), not of {job!r}"
        )
    return job


_NAMES = ("pipeline_id", "job_id", "ref", "type", "status", *_TIMES, "duration", *COUNTS)


def _as_dict(job: Job[JobData]) -> dict[str, Any]:
    return {
        "pipeline_id": job.pipeline_id,
        "job_id": job.id,
        "ref": job.ref,
        "type": str(job.data.type),
        "status": str(job.data.status),
        "created": job.created,
        "updated": job.updated,
        "ended": job.ended,
        "duration": job.duration,
        **{name: getattr(job.data, name) for name in COUNTS},
    }
