"""How many objects of a Job are done, as progress shows it."""

from __future__ import annotations

import pytest

from hevo_edge._progress.wait_line import WaitLine
from hevo_edge.models import JobData


def line_of(*snapshots: dict[str, int]) -> WaitLine:
    line = WaitLine("1", lambda *_: None, 1, lambda _: None, 0.0)
    for number, counts in enumerate(snapshots):
        counted = {f"objects_{fate}": count for fate, count in counts.items()}
        data = {"job_id": "1", "type": "INCREMENTAL", "status": "IN_PROGRESS", **counted}
        line.update(JobData.model_validate(data), float(number))
    return line


@pytest.mark.parametrize(
    ("snapshots", "shown"),
    [
        ([{}], ""),
        ([{"success": 0, "queued": 0, "skipped": 0, "failed": 0}], ""),
        ([{"success": 1, "queued": 3}], "1 of 4"),
        ([{"success": 2, "skipped": 1, "failed": 1000}], "3 of 1,003, 1,000 failed"),
        (
            [{"success": 0, "queued": 3}, {"success": 1, "queued": 0, "failed": 1}],
            "1 of 3, 1 failed",
        ),
        ([{"success": 0, "queued": 3}, {"success": 1, "queued": 0}], "1 of 3"),
        ([{"success": 0, "queued": 3}, {}], ""),
        ([{"success": 0, "queued": 3}, {"success": 1, "queued": 7}], "1 of 8"),
    ],
)
def test_what_failed_is_not_done_and_the_total_never_shrinks(
    snapshots: list[dict[str, int]], shown: str
) -> None:
    line = line_of(*snapshots)
    assert line.row(0.0)["Objects"] == shown
