"""Errors cross process borders whole, and say what happened."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any

import pytest

from hevo_edge import Job, TriggerTicket, errors
from hevo_edge._jobs.watermark import Watermark
from hevo_edge.enums import PipelineAction
from hevo_edge.models import JobData

JOB = Job(None, 123, "abc", JobData(job_id="abc", status="ON_THE_MOON"))
TICKET = TriggerTicket(pipeline_id=123, action=PipelineAction.SYNC_NOW, watermark=Watermark())

NEEDS: dict[type[errors.HevoError], dict[str, Any]] = {
    errors.PipelineNotReady: {"status": "DISABLED", "pipeline_id": 123},
    errors.TriggerTimeout: {"pipeline_id": 123},
    errors.TriggerError: {"ticket": TICKET},
    errors.JobDidNotSucceed: {"job": JOB},
    errors.JobTimeout: {"job": JOB},
    errors.JobInProgress: {"job": JOB, "status": 409, "code": "CONFLICT", "body": "b"},
    errors.ApiError: {"status": 418, "retry_after": 3.0, "method": "GET", "path": "/x"},
    errors.UnexpectedResponse: {"status": 200, "body": "<html>"},
    errors.RequestError: {"method": "GET", "path": "/x", "attempts": 3, "elapsed": 1.5},
    errors.HevoError: {},
}
ALL = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if kind.__module__ == "hevo_edge.errors"
]


def make(kind: type[errors.HevoError]) -> errors.HevoError:
    needs = next(needs for base, needs in NEEDS.items() if issubclass(kind, base))
    return kind("what happened", **needs)


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("cross", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy])
def test_every_error_crosses_process_borders(kind: Any, cross: Any) -> None:
    error = make(kind)
    there = cross(error)
    assert type(there) is kind
    assert str(there) == str(error)
    assert there.args == error.args == ("what happened",)
    assert there.__dict__.keys() == error.__dict__.keys()
    if hasattr(error, "ticket"):
        assert there.ticket == TICKET
    if error.job is not None:
        assert there.job.ref == "123:abc"
        assert there.job.data == JOB.data


async def test_a_job_from_a_pickle_says_how_to_get_a_client() -> None:
    there = pickle.loads(pickle.dumps(JOB))
    assert there == JOB
    assert there.status == "ON_THE_MOON"
    with pytest.raises(errors.HevoError, match=r"HevoClient.job\('123:abc'\)"):
        await there.refresh()


def test_a_request_error_says_what_was_tried() -> None:
    error = errors.ServerError(
        "503: down", status=503, method="GET", path="/api/v1/pipelines/1", attempts=4, elapsed=2.34
    )
    assert str(error) == "GET /api/v1/pipelines/1: 503: down (4 attempts, 2.3 s)"
    error.attempts = 1
    assert "(1 attempt, 2.3 s)" in str(error)
    assert str(errors.JobInProgress("refused on what was read")) == "refused on what was read"


def test_the_tree_of_decisions() -> None:
    assert issubclass(errors.ConfigurationError, ValueError)
    assert issubclass(errors.JobTimeout, TimeoutError)
    for kind in ALL:
        assert issubclass(kind, errors.HevoError)
        assert kind.__doc__
