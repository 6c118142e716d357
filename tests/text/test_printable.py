"""Whatever a text holds, what is shown of it is one printable line of bounded length."""

from __future__ import annotations

import ast
import logging
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import hevo_edge
from hevo_edge import HevoClient, JobStatus, errors
from hevo_edge._jobs.handle import JobHandle, label_of
from hevo_edge._text.logger import get_logger
from hevo_edge._text.printable import printable, printable_lines, quoted, short
from hevo_edge.models import JobData, Page, PipelineData
from hevo_edge.triggering import TriggerTicket

ANY = st.text(st.characters(), max_size=60) | st.text("\x1b\r\n\a\0\x85\u202e\u2028\ud83d\u200b#")
"""Surrogates and control characters included."""
FORGED = "Job\x1b[31m\r\nERROR\a\0 forged\x85\u2028\u202e\ufeff \ud83d"


def is_one_line(text: str) -> bool:
    return text.isprintable() and len(text.splitlines()) <= 1 and bool(text.encode() or True)


@given(text=ANY, limit=st.integers(1, 80))
def test_any_text_is_one_printable_line(text: str, limit: int) -> None:
    shown = printable(text, limit)
    assert is_one_line(shown)
    assert len(shown) <= limit + len("… (1,000 more characters)")
    if text.isprintable() and len(text) <= limit:
        assert shown == text
    assert is_one_line(quoted(text))
    lines = printable_lines(text)
    assert lines.replace("\n", "").replace("\t", "").isprintable()
    lines.encode()


def test_what_is_cut_is_counted() -> None:
    assert printable("x" * 1_000_000, 10) == "xxxxxxxxxx… (999,990 more characters)"
    assert short("x" * 200) == "x" * 200
    assert short("x" * 201).endswith("x… (1 more characters)")


def test_what_is_no_string_is_shown_too() -> None:
    class Odd:
        def __str__(self) -> str:
            raise RuntimeError

    assert printable(JobStatus.FAILED) == "FAILED"
    assert printable(12) == "12"
    assert printable(Odd()) == "<Odd>"


@given(text=ANY)
def test_an_error_is_one_line_and_crosses_processes(text: str) -> None:
    error = errors.ServerError(text, method="GET", path="/x", body="b")
    for shown in (str(error), repr(error), error.message, *error.args):
        assert is_one_line(shown)
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


def test_an_error_about_something_huge_is_not_huge() -> None:
    with pytest.raises(errors.ConfigurationError) as caught:
        HevoClient("key", "secret", region="us").pipeline("9" * 1_000_000)
    assert len(str(caught.value)) < 5000


@given(text=ANY)
def test_reprs_and_labels_are_one_line(text: str) -> None:
    data = JobData.model_construct(job_id=text, type=text, status=text)
    handle = JobHandle(1, text, data)
    for shown in (label_of(handle), repr(handle), repr(data), str(data)):
        assert is_one_line(shown)


def test_reprs_of_huge_data_are_bounded_and_the_data_is_whole() -> None:
    huge = "n" * 1_000_000
    pipeline = PipelineData(id=1, name=huge)
    page = Page[PipelineData](data=[pipeline] * 100)
    ticket = TriggerTicket(pipeline_id=1, action="SYNC_NOW", job_type=huge)
    for shown in (pipeline, page, ticket, ticket.watermark, JobHandle(1, huge, None)):
        assert len(repr(shown)) < 5000
        assert "more characters" in repr(shown) or shown is ticket.watermark
    assert pipeline.name == huge
    assert TriggerTicket.loads(ticket.dumps()) == ticket


# -- logs ------------------------------------------------------------------------------------------


def test_no_record_forges_a_line(caplog: pytest.LogCaptureFixture) -> None:
    log = get_logger("hevo_edge.test")
    assert get_logger("hevo_edge.test").filters == log.filters
    caplog.set_level(logging.INFO, logger="hevo_edge")
    log.info("%s is %r after %d s, %.1f", FORGED, FORGED, 5, 1.25)
    log.info("without arguments")
    log.info("it failed: %s", ValueError(FORGED))
    log.info("%s", "x" * 1_000_000)
    assert all(is_one_line(record.getMessage()) for record in caplog.records)
    assert "after 5 s, 1.2" in caplog.records[0].getMessage()
    assert len(caplog.records[-1].getMessage()) < 5000


def test_every_logger_of_the_package_is_such_a_one() -> None:
    package = Path(hevo_edge.__file__).parent
    for path in package.rglob("*.py"):
        if path.parts[-2:] == ("_text", "logger.py"):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            is_own = isinstance(node, ast.Attribute) and node.attr == "getLogger"
            assert not is_own, f"{path.name} takes its logger from logging, not from get_logger"
