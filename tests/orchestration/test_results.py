"""Outcomes: plain JSON that crosses processes, and the error that carries one."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hevo_edge import HevoClient
from hevo_edge.emulator import HevoEmulator
from hevo_edge.errors import (
    AuthenticationError,
    ConfigurationError,
    JobFailed,
    NotFound,
    PermissionDenied,
    RequestNotSent,
)
from hevo_edge.orchestration import Outcome, RunFailed, RunSpec, await_job, failure
from tests.orchestration.support import attempt, job_of, running_job

TEXTS = st.text(max_size=20)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
OUTCOMES = st.builds(
    Outcome,
    kind=st.sampled_from(["failed", "timeout", "error", "blocked"]),
    message=TEXTS,
    pipeline_id=st.integers(1, 2**53),
    job_id=st.none() | TEXTS,
    job=st.none() | st.dictionaries(TEXTS, PLAIN, max_size=4),
    certainty=st.none() | TEXTS,
    error=st.none() | TEXTS,
    is_final=st.booleans(),
) | st.builds(
    Outcome,
    kind=st.just("success"),
    message=TEXTS,
    pipeline_id=st.integers(1, 2**53),
    job_id=st.text(min_size=1, max_size=20),
)


@given(outcome=OUTCOMES, more=st.dictionaries(TEXTS, PLAIN, max_size=3))
def test_an_outcome_crosses_processes_as_json(outcome: Outcome, more: dict[str, Any]) -> None:
    stored = json.loads(json.dumps({**more, **outcome.to_dict()}))
    restored = Outcome.from_dict(stored)
    assert restored == outcome
    assert restored.to_dict() == outcome.to_dict()
    assert restored.has_ended is outcome.has_ended


@given(stored=PLAIN | st.dictionaries(st.sampled_from(["kind", "message", "job_id"]), PLAIN))
def test_what_is_no_outcome_never_passes_for_one(stored: Any) -> None:
    with pytest.raises(ConfigurationError, match="no outcome"):
        Outcome.from_dict(stored)


@pytest.mark.parametrize(
    "stored",
    [
        None,
        [],
        "success",
        {"kind": "done"},
        {"kind": ["success"], "job_id": "a"},
        {"kind": "success"},
        {"kind": "success", "job_id": None},
        {"kind": "success", "job_id": ""},
    ],
)
def test_a_success_without_a_job_is_none(stored: Any) -> None:
    with pytest.raises(ConfigurationError, match="whether a Job ended is not known"):
        Outcome.from_dict(stored)


def test_what_an_older_version_has_not_stored_has_its_default() -> None:
    outcome = Outcome.from_dict({"kind": "success", "job_id": "a"})
    assert (outcome.message, outcome.pipeline_id, outcome.is_final) == ("", 0, False)


@pytest.mark.parametrize(
    ("kind", "ended"),
    [("success", True), ("failed", True), ("timeout", False), ("error", False), ("blocked", False)],
)
def test_a_job_is_over_if_its_end_was_seen(kind: Any, ended: bool) -> None:
    assert Outcome(kind, "", 123).has_ended is ended


def test_a_success_raises_nothing() -> None:
    Outcome("success", "", 123, job_id="a").raise_for_status()


@pytest.mark.parametrize("kind", ["failed", "timeout", "error", "blocked"])
def test_everything_else_raises_with_its_outcome(kind: Any) -> None:
    outcome = Outcome(kind, "what happened", 123, exception=ValueError("why"))
    with pytest.raises(RunFailed, match="^what happened$") as caught:
        outcome.raise_for_status()
    assert caught.value.outcome == outcome
    assert caught.value.outcome.exception is None
    assert caught.value.__cause__ is outcome.exception


async def test_the_error_pickles_and_holds_no_secret(
    emulator: HevoEmulator, hevo: HevoClient
) -> None:
    emulator.pipeline(123).plan(duration=60, outcome="FAILED")
    one = attempt(None)
    job_of(await one.start(hevo))
    outcome = await one.wait(hevo)
    with pytest.raises(RunFailed) as caught:
        outcome.raise_for_status()
    assert isinstance(caught.value.__cause__, JobFailed)
    pickled = pickle.dumps(caught.value)
    restored = pickle.loads(pickled)
    assert isinstance(restored, RunFailed)
    assert str(restored) == outcome.message
    assert restored.outcome == outcome
    for secret in (emulator.api_secret, emulator.api_key):
        assert secret.encode() not in pickled
        assert secret not in repr(restored.outcome)


@pytest.mark.parametrize(
    ("error", "is_final"),
    [
        (ConfigurationError("no"), True),
        (AuthenticationError("no", status=401), True),
        (PermissionDenied("no", status=403), True),
        (NotFound("no", status=404), True),
        (RequestNotSent("no"), False),
        (OSError("no"), False),
    ],
)
def test_a_failure_says_whether_a_retry_can_help(error: Exception, is_final: bool) -> None:
    outcome = failure(error, 123)
    assert (outcome.kind, outcome.message, outcome.is_final) == ("error", "no", is_final)
    assert outcome.error == type(error).__name__
    assert outcome.exception is error


async def test_what_is_known_of_a_job_is_plain(emulator: HevoEmulator, hevo: HevoClient) -> None:
    one = running_job(emulator, duration=60)
    outcome = await await_job(hevo.pipeline(123).job(one.job_id), RunSpec(123))
    job = json.loads(json.dumps(outcome.job))
    assert job == {
        "job_id": one.job_id,
        "pipeline_id": 123,
        "ref": f"123:{one.job_id}",
        "status": "COMPLETED",
        "type": "INCREMENTAL",
        "events_ingested": 1000,
        "events_loaded": 1000,
        "events_failed": 0,
        "objects_success": 3,
        "objects_queued": 0,
        "objects_skipped": 0,
        "objects_failed": 0,
        "duration_ms": 60_000,
        "created_ts": round(one.created * 1000),
        "ended_ts": round(one.created * 1000) + 60_000,
    }


async def test_a_job_that_was_never_read_is_known_by_its_ids(hevo: HevoClient) -> None:
    job = hevo.pipeline(123).job("abc")
    outcome = failure(RequestNotSent("no"), 123, job=job)
    assert outcome.job == {
        "job_id": "abc",
        "pipeline_id": 123,
        "ref": "123:abc",
        "status": None,
        "type": None,
    }
