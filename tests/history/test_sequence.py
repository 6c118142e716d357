"""A history is a sequence that never changes, and a table of whatever tool is there."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

import pandas as pd
import polars as pl
import pytest
from hypothesis import given

from hevo_edge import Job, errors
from hevo_edge.history import JobHistory
from hevo_edge.models import JobData
from tests.history.support import job, jobs

COUNTS = [name for name in JobData.model_fields if name.startswith(("events", "objects"))]
COUNTS += ["billable_events", "non_billable_events"]
TIMES = ["created", "updated", "ended"]


def test_it_is_a_sequence_newest_first() -> None:
    history = JobHistory([job(1), job(3), job(2)])
    assert isinstance(history, Sequence)
    assert [each.id for each in history] == ["3", "2", "1"]
    assert (len(history), history[0].id, history[-1].id) == (3, "3", "1")
    assert history[:2] == JobHistory([job(3), job(2)])
    assert job(2) in history
    assert history.index(job(1)) == 2
    assert hash(history) == hash(JobHistory([job(3), job(2), job(1)]))
    assert history != [job(3), job(2), job(1)]
    assert not JobHistory()


def test_it_never_changes() -> None:
    history = JobHistory([job(1)])
    with pytest.raises(TypeError):
        history[0] = job(2)  # type: ignore[index]
    with pytest.raises(AttributeError):
        history.limit = 5  # type: ignore[attr-defined]
    assert pickle.loads(pickle.dumps(history)) == history


def test_rows_without_a_time_keep_their_order() -> None:
    history = JobHistory([job(1), job(3, created_ts=None), job(2)])
    assert [each.id for each in history] == ["1", "3", "2"]


@pytest.mark.parametrize("given", [Job(None, 1, "a", None), "1:a", None])
def test_only_jobs_that_were_read(given: Any) -> None:
    with pytest.raises(errors.ConfigurationError, match="of which something was read"):
        JobHistory([given])


def test_a_flat_dict_a_job() -> None:
    read = job(
        7, updated_ts=70_000, duration=60_000, events_loaded=950, status="COMPLETED", type="NEW"
    )
    assert JobHistory([read]).to_dicts() == [
        {
            "pipeline_id": 123,
            "job_id": "7",
            "ref": "123:7",
            "type": "NEW",
            "status": "COMPLETED",
            "created": datetime(1970, 1, 1, 0, 0, 7, tzinfo=timezone.utc),
            "updated": datetime(1970, 1, 1, 0, 1, 10, tzinfo=timezone.utc),
            "ended": datetime(1970, 1, 1, 0, 1, 7, tzinfo=timezone.utc),
            "duration": timedelta(minutes=1),
            **dict.fromkeys(COUNTS),
            "events_loaded": 950,
        }
    ]


@given(jobs())
def test_the_words_are_plain_strings(drawn: list[Job[JobData]]) -> None:
    for row in JobHistory(drawn).to_dicts():
        assert {type(row[name]) for name in ("job_id", "ref", "type", "status")} == {str}


@given(jobs())
def test_pandas_has_what_the_dicts_have(drawn: list[Job[JobData]]) -> None:
    history = JobHistory(drawn)
    frame = history.to_pandas()
    rows = history.to_dicts()
    assert {name: str(frame[name].dtype) for name in TIMES} == dict.fromkeys(
        TIMES, "datetime64[ms, UTC]"
    )
    assert str(frame["duration"].dtype) == "timedelta64[ms]"
    assert {str(frame[name].dtype) for name in COUNTS} == {"Int64"}
    assert len(frame) == len(rows)
    for name in frame.columns:
        for found, row in zip(frame[name], rows, strict=True):
            assert row[name] is None if pd.isna(found) else found == row[name], name


@given(jobs())
def test_polars_has_what_the_dicts_have(drawn: list[Job[JobData]]) -> None:
    history = JobHistory(drawn)
    frame = history.to_polars()
    assert {frame.schema[name] for name in TIMES} == {pl.Datetime("ms", "UTC")}
    assert frame.schema["duration"] == pl.Duration("ms")
    assert {frame.schema[name] for name in COUNTS} == {pl.Int64()}
    assert frame.rows(named=True) == history.to_dicts()


@pytest.mark.parametrize(
    ("method", "package"),
    [("to_pandas", "pandas"), ("to_polars", "polars"), ("plot", "matplotlib")],
)
def test_what_is_missing_is_said_with_how_to_install_it(
    method: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(errors.ConfigurationError, match=f"needs {package}.*pip install {package}$"):
        getattr(JobHistory([job()]), method)()


def test_none_of_them_is_loaded_before_it_is_asked_for() -> None:
    code = "import sys; from hevo_edge import HevoClient; from hevo_edge.history import JobHistory"
    code += "; h = JobHistory(); h.to_dicts(); h.summary(); h._repr_mimebundle_()"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; print(*sys.modules)"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert not {"pandas", "polars", "matplotlib", "numpy", "IPython"} & set(done.stdout.split())
    assert len(done.stdout) > 100
