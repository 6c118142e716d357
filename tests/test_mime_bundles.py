"""What a notebook shows of each thing that a user holds; none of it sends a request."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from IPython.core.formatters import DisplayFormatter

from hevo_edge import HevoClient, Job, errors
from hevo_edge.emulator import HevoEmulator
from hevo_edge.history import JobHistory
from hevo_edge.models import JobData
from hevo_edge.orchestration import Outcome, failure
from tests.awaiting.support import many
from tests.text.test_html import HOSTILE, parsed

Make = Callable[[HevoEmulator, HevoClient], Awaitable[Any]]


async def the_pipeline(emulator: HevoEmulator, hevo: HevoClient) -> Any:
    return await hevo.get_pipeline(123)


async def a_job(emulator: HevoEmulator, hevo: HevoClient) -> Any:
    return (await hevo.pipeline(123).job_history())[0]


async def a_history(emulator: HevoEmulator, hevo: HevoClient) -> Any:
    return await hevo.pipeline(123).job_history()


async def a_summary(emulator: HevoEmulator, hevo: HevoClient) -> Any:
    return (await hevo.pipeline(123).job_history()).summary()


async def some_jobs(emulator: HevoEmulator, hevo: HevoClient) -> Any:
    jobs = many(emulator, hevo, {"duration": 30}, {"duration": 20, "outcome": "FAILED"})
    return await hevo.await_all(jobs, on_failure="return")


async def an_error(emulator: HevoEmulator, hevo: HevoClient) -> Any:
    return (await some_jobs(emulator, hevo))[1]


async def an_outcome(emulator: HevoEmulator, hevo: HevoClient) -> Any:
    return failure(await an_error(emulator, hevo), 2, kind="failed")


SHOWS: dict[str, tuple[Make, list[str]]] = {
    "Pipeline": (the_pipeline, ["123", "INITIALIZED", "ON_DEMAND", "/pipeline/123/overview"]),
    "Job": (a_job, ["123:", "INCREMENTAL", "COMPLETED", "2025-12-31 23:00:00 UTC", "1m00s"]),
    "JobHistory": (a_history, ["1 Job, 100 % succeeded", "Events loaded", "COMPLETED", "1,000"]),
    "HistorySummary": (a_summary, ["Success rate", "100 %", "Last success"]),
    "await_all": (some_jobs, ["1:", "COMPLETED", "2:", "FAILED", "JobFailed: INCREMENTAL Job"]),
    "error": (an_error, ["JobFailed: INCREMENTAL Job", "FAILED", "20s", "see Job.list_objects()"]),
    "Outcome": (an_outcome, ["failed", "FAILED", "JobFailed", "Events loaded"]),
}


@pytest.mark.parametrize("name", SHOWS)
async def test_what_is_shown(emulator: HevoEmulator, hevo: HevoClient, name: str) -> None:
    make, words = SHOWS[name]
    thing = await make(emulator, hevo)
    calls = len(emulator.requests)
    bundle, _ = DisplayFormatter().format(thing)  # type: ignore[no-untyped-call]
    text = " ".join(parsed(bundle["text/html"]).texts)
    for word in words:
        assert word in text
    # Asked for it alone: IPython has ways of its own to write a list and an error as text.
    plain = thing._repr_mimebundle_(include=["text/plain"])["text/plain"]
    assert " ".join(plain.split()) in {repr(thing), str(thing)}
    assert len(emulator.requests) == calls


@pytest.mark.parametrize("name", SHOWS)
async def test_copies_are_shown_alike(emulator: HevoEmulator, hevo: HevoClient, name: str) -> None:
    thing = await SHOWS[name][0](emulator, hevo)
    shown = thing._repr_mimebundle_()
    assert copy.copy(thing)._repr_mimebundle_() == shown
    if name != "Pipeline":  # it holds a client, and with that credentials
        assert pickle.loads(pickle.dumps(thing))._repr_mimebundle_() == shown


async def test_await_all_still_returns_a_list(emulator: HevoEmulator, hevo: HevoClient) -> None:
    jobs = many(emulator, hevo, {"duration": 5}, {"duration": 5})
    results = await hevo.await_all(jobs)
    assert isinstance(results, list)
    assert results == jobs
    assert repr(results) == repr(list(results))
    results.sort(key=lambda job: job.id)


async def test_of_many_jobs_the_first_are_shown(hevo: HevoClient) -> None:
    jobs = await hevo.await_all([])
    jobs += [Job(None, 1, str(n), JobData(job_id=str(n))) for n in range(1000)]
    bundle = jobs._repr_mimebundle_()  # type: ignore[attr-defined]
    assert parsed(bundle["text/html"]).rows == 51
    assert bundle["text/plain"].count("Job(") == 50
    assert bundle["text/plain"].endswith("… 950 more]")
    assert "… 950 more" in bundle["text/html"]


def test_what_was_not_read_is_said(hevo: HevoClient) -> None:
    assert "not read yet" in hevo.job("123:abc")._repr_mimebundle_()["text/html"]
    assert "not read yet" in hevo.pipeline(123)._repr_mimebundle_()["text/html"]


@pytest.mark.parametrize("error", [errors.HevoError("broken"), errors.RequestNotSent("broken")])
def test_an_error_about_no_job(error: errors.HevoError) -> None:
    page = parsed(error._repr_mimebundle_()["text/html"])
    assert page.texts == [f"{type(error).__name__}: broken"]
    assert "table" not in error._repr_mimebundle_()["text/html"]


@pytest.mark.parametrize("word", HOSTILE)
async def test_hostile_words_are_shown_as_words(
    emulator: HevoEmulator, hevo: HevoClient, word: str
) -> None:
    sent = word.encode(errors="replace").decode()
    data = JobData(job_id=f"1{sent}", status=sent, type=sent)
    job: Any = Job(None, 123, data.job_id, data)
    pipeline = await hevo.get_pipeline(123)
    pipeline._data = pipeline.data.model_copy(update={"name": word, "status": word})
    error = errors.JobFailed(word, job=job, advice=word)
    outcome = Outcome("failed", word, 123, job_id=word, job={"status": word}, error=word)
    results = await hevo.await_all([])
    results += [job]
    history = JobHistory([job])
    things: list[Any] = [job, pipeline, error, outcome, results, history, history.summary()]
    for thing in things:
        bundle = thing._repr_mimebundle_()
        parsed(bundle["text/html"])
        assert bundle["text/plain"].isprintable()


async def test_secrets_are_hidden(emulator: HevoEmulator, hevo: HevoClient) -> None:
    emulator.add_pipeline(7, name=f"a <{emulator.api_secret}> b")
    shown = (await hevo.get_pipeline(7))._repr_mimebundle_()
    assert "a &lt;***&gt; b" in shown["text/html"]
    assert emulator.api_secret not in "".join(shown.values())


def test_an_outcome_of_anything_is_shown() -> None:
    stored = {"kind": "failed", "job": ["odd"], "message": None, "pipeline_id": "odd"}
    parsed(Outcome.from_dict(stored)._repr_mimebundle_()["text/html"])
