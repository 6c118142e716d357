"""The vocabulary is open, and means the same in all generations."""

from __future__ import annotations

import pytest

from hevo_edge import JobStatus, JobType, PipelineAction
from hevo_edge.enums import can_come_of, is_known_status, is_terminal, same_job_type

SYNC, RESYNC = PipelineAction.SYNC_NOW, PipelineAction.RESYNC


def test_members_print_as_their_values() -> None:
    assert str(JobStatus.FAILED) == f"{JobStatus.FAILED}" == "FAILED"
    assert f"{JobStatus.FAILED:>8}" == "  FAILED"
    assert JobStatus.FAILED == "FAILED"


@pytest.mark.parametrize("status", list(JobStatus))
def test_which_statuses_end_a_wait(status: JobStatus) -> None:
    running = {"IN_PROGRESS", "CANCELLING", "QUEUED", "PENDING", "UNKNOWN"}
    assert is_terminal(status) is (status.value not in running)


@pytest.mark.parametrize("status", ["ON_THE_MOON", "UNKNOWN", "", " "])
def test_an_unknown_status_is_still_running(status: str) -> None:
    assert not is_terminal(status)
    assert not is_known_status(status)


@pytest.mark.parametrize("status", [status for status in JobStatus if status != "UNKNOWN"])
def test_words_mean_the_same_in_any_case(status: JobStatus) -> None:
    for written in (status.value, status.value.lower(), f" {status.value.title()} "):
        assert JobStatus(written) is status
        assert is_terminal(written) is is_terminal(status)
        assert is_known_status(written)
    with pytest.raises(ValueError, match="ON_THE_MOON"):
        JobStatus("ON_THE_MOON")


@pytest.mark.parametrize(
    ("wanted", "found", "same"),
    [
        ("INCREMENTAL", "INCREMENTAL", True),
        ("incremental", "INCREMENTAL", True),
        ("INCREMENTAL", "HISTORICAL", False),
        ("RESYNC", "RESYNC_WITH_EVOLVE", True),
        ("RESYNC_WITH_EVOLVE", "TRUNCATE_AND_LOAD", True),
        ("RESYNC_WITH_DROP_AND_LOAD", "TRUNCATE_AND_LOAD", True),
        ("RESYNC", "RESYNC_WITH_DROP_AND_LOAD", False),
        ("BRAND_NEW", "BRAND_NEW", True),
    ],
)
def test_types_that_mean_the_same(wanted: str, found: str, same: bool) -> None:
    assert same_job_type(wanted, found) is same
    assert same_job_type(found, wanted) is same


@pytest.mark.parametrize(
    ("action", "job_type", "can"),
    [
        (SYNC, JobType.INCREMENTAL, True),
        (SYNC, JobType.HISTORICAL, True),
        (SYNC, JobType.RESYNC, False),
        (SYNC, JobType.TRUNCATE_AND_LOAD, True),
        (RESYNC, JobType.RESYNC, True),
        (RESYNC, JobType.RESYNC_WITH_EVOLVE, True),
        (RESYNC, JobType.RESYNC_WITH_DROP_AND_LOAD, True),
        (RESYNC, JobType.TRUNCATE_AND_LOAD, True),
        (RESYNC, JobType.HISTORICAL, True),
        (RESYNC, JobType.INCREMENTAL, False),
        (SYNC, "NEVER_SEEN_BEFORE", True),
        (RESYNC, "NEVER_SEEN_BEFORE", True),
        (SYNC, "UNKNOWN", True),
    ],
)
def test_which_types_can_come_of_an_action(
    action: PipelineAction, job_type: str, can: bool
) -> None:
    assert can_come_of(action, job_type) is can
