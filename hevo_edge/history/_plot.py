"""A plot of Jobs: how long they ran, when, and how they ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from hevo_edge._text.printable import short
from hevo_edge.enums import JobStatus
from hevo_edge.job import Job
from hevo_edge.models import JobData

if TYPE_CHECKING:
    import matplotlib.axes

# Colours that the colour-blind can tell apart (Okabe and Ito), and markers that need none.
_STYLES: dict[str, tuple[str, str]] = {
    JobStatus.COMPLETED: ("#009e73", "o"),
    JobStatus.COMPLETED_WITH_FAILURES: ("#e69f00", "s"),
    JobStatus.FAILED: ("#d55e00", "X"),
    JobStatus.CANCELLED: ("#cc79a7", "v"),
    JobStatus.IN_PROGRESS: ("#56b4e9", "^"),
}
_OTHERS = ("#888888", "D")
_UNITS = ((2 * 86400, 86400, "days"), (2 * 3600, 3600, "hours"), (2 * 60, 60, "minutes"))
"""From how many seconds on a unit is used, and how many it has."""

_LAST_YEAR = 9000
"""matplotlib cannot draw the year 10,000, which a margin would reach."""


def plot(jobs: Sequence[Job[JobData]], ax: matplotlib.axes.Axes) -> matplotlib.axes.Axes:
    """Draw Jobs, newest first, on the Axes, and return them."""
    points: dict[str, list[tuple[object, float]]] = {}
    for job in jobs:
        if job.created is None or job.created.year > _LAST_YEAR:
            continue
        if job.duration is not None:
            points.setdefault(str(job.status), []).append(
                (job.created, job.duration.total_seconds())
            )
    longest = max((seconds for group in points.values() for _, seconds in group), default=0.0)
    size, unit = next(
        ((size, unit) for least, size, unit in _UNITS if longest >= least), (1, "seconds")
    )
    for status in sorted(points, key=lambda status: [*_STYLES, status].index(status)):
        colour, marker = _STYLES.get(status, _OTHERS)
        ax.scatter(
            [created for created, _ in points[status]],  # type: ignore[arg-type]
            [seconds / size for _, seconds in points[status]],
            color=colour,
            marker=marker,
            label=_literal(status),
        )
    ax.set_xlabel("created (UTC)")
    ax.set_ylabel(f"duration ({unit})")
    ax.set_ylim(bottom=0)
    pipelines = {job.pipeline_id for job in jobs}
    if len(pipelines) == 1:
        ax.set_title(f"Jobs of Pipeline {pipelines.pop()}")
    if points:
        ax.legend()
    return ax


def _literal(text: str) -> str:
    """Return a text that matplotlib draws as it is: no formula, and no label that it hides."""
    shown = short(text).replace("$", r"\$")
    return f" {shown}" if not shown or shown.startswith("_") else shown
