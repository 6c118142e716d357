"""What only shows when the task runs: a clear one-line error before any request."""

from __future__ import annotations

from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from hevo_edge._common.clock import Clock
from hevo_edge.emulator import HevoEmulator
from tests.integrations.airflow.conftest import CONNECTION, connection_json
from tests.integrations.airflow.support import operator, starts


def message_of(task: Any, context: Any, kind: type[Exception] = AirflowException) -> str:
    with pytest.raises(kind) as caught:
        task.execute(context)
    message = str(caught.value)
    assert message
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    "rendered", ["", "None", "orders", "-5", "1e3", "12 34", "[123]", None, 0, 1.5, True]
)
def test_a_template_that_renders_to_nonsense(
    emu: HevoEmulator, context: Any, rendered: Any
) -> None:
    task = operator(pipeline_id="{{ whatever }}")
    task.pipeline_id = rendered
    message = message_of(task, context, AirflowFailException)
    assert "pipeline_id must be a positive integer" in message
    assert repr(rendered) in message
    assert emu.requests == []


@pytest.mark.parametrize("rendered", ["7", " 7\n", 7])
def test_a_template_that_renders_to_an_id(emu: HevoEmulator, context: Any, rendered: Any) -> None:
    task = operator(pipeline_id="{{ whatever }}", wait_for_completion=False)
    task.pipeline_id = rendered
    task.execute(context)
    (post,) = emu.requests.of("sync_now")
    assert post.pipeline_id == 7


def test_a_missing_connection_is_named(emu: HevoEmulator, context: Any) -> None:
    message = message_of(operator(connection_id="nowhere"), context)
    assert "nowhere" in message
    assert emu.requests == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"login": ""}, "login (the API key) missing"),
        ({"login": None}, "login (the API key) missing"),
        ({"password": " "}, "password (the API secret) missing"),
        (
            {"login": "", "password": ""},
            "login (the API key) and password (the API secret) missing",
        ),
        ({"host": ""}, "the host is missing"),
        ({"host": "ftp://us.hevodata.com"}, "ftp"),
        ({"host": "http://us.hevodata.com"}, "https"),
        ({"host": "us hevodata com"}, "us hevodata com"),
        ({"extra": {"rate_limit": -1}}, "rate_limit"),
        ({"extra": {"timeout": "long"}}, "timeout"),
    ],
)
def test_a_connection_that_lacks_something_is_named_with_what_it_lacks(
    emu: HevoEmulator,
    context: Any,
    monkeypatch: pytest.MonkeyPatch,
    fields: dict[str, Any],
    words: str,
) -> None:
    monkeypatch.setenv(CONNECTION, connection_json(emu, **fields))
    message = message_of(operator(), context, AirflowFailException)
    assert "connection 'hevo_airflow_conn_id'" in message
    assert words in message
    assert emu.api_secret not in message
    assert emu.requests == []


def test_a_host_that_nobody_answers_at_may_be_retried(
    emu: HevoEmulator, context: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CONNECTION, connection_json(emu, host="http://127.0.0.1:9"))
    monkeypatch.setattr(Clock, "sleep", no_sleep)
    message = message_of(operator(), context)
    assert "127.0.0.1" in message
    assert emu.api_secret not in message


async def no_sleep(_: Clock, __: float) -> None:
    """Let the client's backoff take no time."""


@pytest.mark.parametrize(
    ("status", "code"), [(401, "AUTHENTICATION_FAILED"), (403, "FORBIDDEN"), (404, "NO_PIPELINE")]
)
def test_what_hevo_says_is_in_the_message(
    emu: HevoEmulator, context: Any, status: int, code: str
) -> None:
    body = {"error": code, "message": "words of Hevo"}
    emu.faults.status(status, body, on="*", times=None)
    message = message_of(operator(), context)
    assert "words of Hevo" in message
    assert starts(emu) == 0


def test_a_pipeline_that_cannot_run_says_why(emu: HevoEmulator, context: Any) -> None:
    emu.add_pipeline(9, status="DISABLED")
    assert "DISABLED" in message_of(operator(pipeline_id=9), context)
    assert emu.requests.of("sync_now") == []


def test_a_pipeline_that_is_not_there_is_named(emu: HevoEmulator, context: Any) -> None:
    # With an id that an outage of the vendor's operator would have mistaken for a 404.
    assert "404" in message_of(operator(pipeline_id=1404), context)
    assert starts(emu) == 0


def test_the_whole_output_of_a_mapped_task_is_refused_with_what_to_write(
    emu: HevoEmulator, context: Any
) -> None:
    task = operator()
    task.pipeline_id = [123, 7]  # type: ignore[assignment]
    with pytest.raises(AirflowException, match=r"pipeline_id is 2 values.* use expand"):
        task.execute(context)
    assert emu.requests == []
