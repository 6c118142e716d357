"""Options of both verbs: declared once, with the same keywords, types and defaults everywhere."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from hevo_edge import HevoClient, Job, Pipeline, PipelineAction, errors
from hevo_edge._http.config import CLIENT_DEFAULTS, ClientKeywords
from hevo_edge.emulator import HevoEmulator
from hevo_edge.job import WaitKeywords
from hevo_edge.options import TRIGGER_DEFAULTS, WAIT_DEFAULTS, TriggerOptions, WaitOptions
from hevo_edge.pipeline import TriggerKeywords

OWN = "drop_and_load"
"""The one option of a trigger that not all of its verbs take."""
TRIGGER: Mapping[str, Any] = {
    name: TRIGGER_DEFAULTS[name] for name in TRIGGER_DEFAULTS if name != OWN
}
CLIENT: Mapping[str, Any] = dict(CLIENT_DEFAULTS)
EMPTY = inspect.Parameter.empty


def test_keywords_and_defaults_agree() -> None:
    assert {*TriggerKeywords.__annotations__, OWN} == set(TRIGGER_DEFAULTS)
    assert set(WaitKeywords.__annotations__) == set(WAIT_DEFAULTS)
    assert set(ClientKeywords.__annotations__) == set(CLIENT_DEFAULTS)


def test_the_checked_options_are_those_that_can_be_given() -> None:
    assert set(TriggerOptions._fields) == {*TRIGGER_DEFAULTS, "action"}
    assert set(TriggerOptions.check()) >= {PipelineAction.SYNC_NOW, 150.0}
    assert WaitOptions.check() == WaitOptions.check(**WAIT_DEFAULTS)
    assert TriggerOptions.check() == TriggerOptions.check("SYNC_NOW", **TRIGGER_DEFAULTS)


@pytest.mark.parametrize(
    ("method", "own", "options"),
    [
        (Pipeline.trigger, {"action": PipelineAction.SYNC_NOW, OWN: False}, TRIGGER),
        (Pipeline.prepare_trigger, {"action": PipelineAction.SYNC_NOW, OWN: False}, TRIGGER),
        (Pipeline.sync_now, {}, TRIGGER),
        (Pipeline.resync, {OWN: False}, TRIGGER),
        (Pipeline.resync_objects, {"objects": EMPTY, OWN: False}, TRIGGER),
        (
            Pipeline.await_completion,
            {"job_type": None, "ended_since": None, "started_since": None},
            WAIT_DEFAULTS,
        ),
        (Job.await_completion, {}, WAIT_DEFAULTS),
        (HevoClient.await_all, {"jobs": EMPTY, "on_failure": "raise"}, WAIT_DEFAULTS),
        (HevoClient.as_completed, {"jobs": EMPTY, "on_failure": "raise"}, WAIT_DEFAULTS),
        (HevoClient.__init__, {"api_key": None, "api_secret": None}, CLIENT),
    ],
)
def test_a_signature_shows_every_keyword_with_its_default(
    method: Callable[..., Any], own: dict[str, Any], options: Mapping[str, Any]
) -> None:
    parameters = dict(inspect.signature(method).parameters)
    del parameters["self"]
    assert {name: shown.default for name, shown in parameters.items()} == {**own, **options}
    for name in options:
        assert parameters[name].kind is inspect.Parameter.KEYWORD_ONLY
        assert isinstance(parameters[name].annotation, str)
        assert parameters[name].annotation


def test_the_types_are_those_of_the_keywords() -> None:
    shown = inspect.signature(Pipeline.trigger).parameters
    assert shown["job_type"].annotation == "JobType | str | None"
    assert shown["drop_and_load"].annotation == "bool"
    assert inspect.signature(HevoClient).parameters["rate_limit"].annotation == "RateLimit | None"


def test_a_keyword_that_does_not_exist_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="'if_runing' is not a keyword of a trigger; those are job"):
        TriggerOptions.check(if_runing="join")
    with pytest.raises(TypeError, match="'timout' is not a keyword of a wait; those are poll_"):
        WaitOptions.check(timout=5)


@pytest.mark.parametrize("wrong", ["no", "false", "true", 1, 0, None, [True]])
async def test_only_a_bool_may_drop_tables(wrong: Any) -> None:
    """A template's "no" is a string, and true in Python."""
    pipeline = HevoClient("key", "secret", region="us").pipeline(1)
    for trigger in (pipeline.resync, pipeline.trigger, pipeline.prepare_trigger):
        with pytest.raises(errors.ConfigurationError, match="drop_and_load must be True or False"):
            await trigger(drop_and_load=wrong)
    with pytest.raises(errors.ConfigurationError, match="drop_and_load must be True or False"):
        await pipeline.resync_objects(["1"], drop_and_load=wrong)


# -- words that nobody knows -----------------------------------------------------------------------


async def test_a_word_that_nobody_knows_is_logged_once(
    emulator: HevoEmulator, hevo: HevoClient, caplog: pytest.LogCaptureFixture
) -> None:
    pipeline = hevo.pipeline(123)
    for _ in range(3):
        assert [job async for job in pipeline.list_jobs(status="COMPELTED")] == []
    assert [job async for job in pipeline.list_jobs(job_type="historcal")] == []
    assert await pipeline.active_job("INCREMENTLA") is None
    assert caplog.messages == [
        "status 'COMPELTED' is not a known word of the API; is it misspelt?",
        "job_type 'HISTORCAL' is not a known word of the API; is it misspelt?",
        "job_type 'INCREMENTLA' is not a known word of the API; is it misspelt?",
    ]


async def test_a_known_word_is_not(
    emulator: HevoEmulator, hevo: HevoClient, caplog: pytest.LogCaptureFixture
) -> None:
    pipeline = hevo.pipeline(123)
    assert [job async for job in pipeline.list_jobs(status="failed", job_type="incremental")] == []
    job = await pipeline.trigger()
    await job.await_completion(accept=["deferred"])
    assert caplog.messages == []
