"""The plot of a history: a point a Job, a colour a status."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest
from hypothesis import Phase, given, settings
from matplotlib.axes import Axes

from hevo_edge import Job
from hevo_edge.history import JobHistory
from hevo_edge.models import JobData
from tests.history.support import job, jobs

DAY = 1_767_225_600_000


@pytest.fixture(autouse=True)
def no_window() -> Iterator[None]:
    mpl.use("agg")
    yield
    plt.close("all")


def labels(ax: Axes) -> list[str]:
    legend = ax.get_legend()
    return [] if legend is None else [text.get_text() for text in legend.get_texts()]


def test_it_draws_on_the_axes_that_it_is_given() -> None:
    _, ax = plt.subplots()
    assert JobHistory([job(1, duration=1000)]).plot(ax=ax) is ax


def test_a_point_a_job_and_a_colour_a_status() -> None:
    statuses = ["FAILED", "COMPLETED", "COMPLETED", "NEW_WORD", "COMPLETED"]
    drawn = [
        job(n, status=status, created_ts=DAY + n * 60_000, duration=n * 60_000)
        for n, status in enumerate(statuses, 1)
    ]
    ax = JobHistory([*drawn, job(9, duration=None)]).plot()
    assert labels(ax) == ["COMPLETED", "FAILED", "NEW_WORD"]
    groups: Any = ax.collections
    assert [len(group.get_offsets()) for group in groups] == [3, 1, 1]
    assert len({tuple(group.get_facecolor()[0]) for group in groups}) == 3
    assert ax.get_title() == "Jobs of Pipeline 123"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("created (UTC)", "duration (minutes)")
    points = sorted(float(y) for group in groups for _, y in group.get_offsets())
    assert points == [1.0, 2.0, 3.0, 4.0, 5.0]


@pytest.mark.parametrize(
    ("seconds", "unit"), [(119, "seconds"), (120, "minutes"), (7200, "hours"), (2 * 86400, "days")]
)
def test_the_unit_fits_the_longest(seconds: int, unit: str) -> None:
    ax = JobHistory([job(1, duration=1000), job(2, duration=seconds * 1000)]).plot()
    assert ax.get_ylabel() == f"duration ({unit})"


def test_several_pipelines_have_no_title_and_no_jobs_no_points() -> None:
    assert JobHistory([job(1, 1), job(2, 2)]).plot().get_title() == ""
    ax = JobHistory().plot()
    assert not ax.collections
    assert labels(ax) == []


@given(jobs())
# A font need not have every character.
@pytest.mark.filterwarnings("ignore:Glyph .* missing from font:UserWarning")
@settings(max_examples=20, phases=[Phase.explicit, Phase.generate])
def test_it_can_be_drawn_whatever_the_jobs(drawn: list[Job[JobData]]) -> None:
    figure, ax = plt.subplots()
    try:
        JobHistory(drawn).plot(ax)
        figure.canvas.draw()
    finally:
        plt.close(figure)


@pytest.mark.parametrize("status", [r"$\frac{", "_hidden", "a\nb"])
def test_words_are_drawn_as_they_are(status: str) -> None:
    ax = JobHistory([job(1, status=status, duration=1000)]).plot()
    ax.figure.canvas.draw()
    assert len(labels(ax)) == 1
    assert "\n" not in labels(ax)[0]
