"""Each field that a user reads says what it means, in ``help`` and in what else shows it."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pydoc
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from hevo_edge import models
from hevo_edge._text import field_docs
from hevo_edge._text.field_docs import show_fields
from hevo_edge.models import JobData, Page, PipelineData, WireModel

PLAIN: Any = vars(pydoc)["plaintext"]  # which the types do not know
MODULES = [
    "hevo_edge",
    "hevo_edge.api",
    "hevo_edge.emulator",
    "hevo_edge.emulator.job",
    "hevo_edge.emulator.journal",
    "hevo_edge.errors",
    "hevo_edge.history",
    "hevo_edge.models",
    "hevo_edge.orchestration",
    "hevo_edge.schedules",
    "hevo_edge.triggering",
]


def public_classes() -> Iterator[type]:
    for name in MODULES:
        module = importlib.import_module(name)
        for each in getattr(module, "__all__", dir(module)):
            value = getattr(module, each)
            if inspect.isclass(value) and value.__module__.startswith("hevo_edge"):
                yield value


def fields_of(cls: type) -> list[str]:
    if issubclass(cls, BaseModel):
        return list(cls.model_fields)
    if dataclasses.is_dataclass(cls):
        return [field.name for field in dataclasses.fields(cls)]
    return list(getattr(cls, "_fields", ()))


WITH_FIELDS = sorted(set(filter(fields_of, public_classes())), key=lambda cls: cls.__qualname__)


def documented(text: str) -> set[str]:
    """The names in the sections of a docstring that say something of each."""
    sections = re.findall(r"(?:Args|Attributes):\n((?:(?: {4}.*)?\n|(?: {4}.*)$)+)", text)
    lines = [line for section in sections for line in section.splitlines()]
    said = [re.match(r" {4}([a-z0-9_, ]+): \S", line) for line in lines]
    return {name for found in said if found for name in found.group(1).split(", ")}


def test_there_are_such_classes() -> None:
    assert {JobData, Page} < set(WITH_FIELDS)
    assert len(WITH_FIELDS) > 20


@pytest.mark.parametrize("cls", WITH_FIELDS)
def test_each_field_is_in_the_docstring(cls: type) -> None:
    assert set(fields_of(cls)) - documented(inspect.getdoc(cls) or "") == set()


@pytest.mark.parametrize("name", models.__all__)
def test_each_field_of_a_model_is_in_help(name: str) -> None:
    model = getattr(models, name)
    shown = pydoc.render_doc(model, renderer=PLAIN)
    for field in model.model_fields:
        assert re.search(rf"^ \|      {field}: \S", shown, re.MULTILINE), field


@pytest.mark.parametrize("name", models.__all__)
def test_each_field_of_a_model_says_how_it_is_known(name: str) -> None:
    model = getattr(models, name)
    docs = field_docs.field_docs(model)
    for field in model.model_fields:
        known = re.search(r"\[(.+)\]$", docs[field], re.DOTALL)
        assert known, field
        for each in re.split(r"[,;:]\s+", known.group(1)):
            assert each in {
                "vendor code",
                "weak fixture",
                "Hevo docs",
                "assumed",
                "meaning inferred",
                "meanings",
                "an earlier generation only",
            }, field


def test_each_time_and_duration_says_its_unit() -> None:
    for name in models.__all__:
        for field, doc in field_docs.field_docs(getattr(models, name)).items():
            if field.endswith("_ts") or "latency" in field.split("_") or field == "duration":
                assert re.search(r"\bms\b", doc) or "minutes" in doc, field


def test_a_json_schema_has_them_too() -> None:
    schema = PipelineData.model_json_schema()
    assert schema["description"] == "A Pipeline."
    assert schema["properties"]["created_ts"]["description"].startswith("Creation, in ms since")
    inner = schema["$defs"]["ScheduleData"]
    assert "in minutes" in inner["properties"]["frequency_minutes"]["description"]
    rows = Page[JobData].model_json_schema()["$defs"]["JobData"]["properties"]
    assert all(row["description"] for row in rows.values())


def test_importing_reads_no_source() -> None:
    """It would take as long as all the rest of the package."""
    code = (
        "from hevo_edge import HevoClient\n"
        "from hevo_edge._text.field_docs import _docs_in\n"
        "from hevo_edge.models import JobData\n"
        "print(_docs_in.cache_info().misses)\n"
        "JobData.__doc__\n"
        "print(_docs_in.cache_info().misses)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    at_import, when_asked = done.stdout.split()
    assert (at_import, int(when_asked) > 0) == ("0", True)


def test_a_class_of_the_user_shows_the_fields_of_ours() -> None:
    class Mine(JobData):
        """My Job."""

        cost: float | None = None

    shown = inspect.getdoc(Mine) or ""
    assert shown.startswith("My Job.\n\nAttributes:\n    created_ts: Creation")
    assert Mine(job_id="1").__doc__ == shown

    class Silent(WireModel):
        field: int = 0

    assert Silent.__doc__ is None


def test_without_the_source_the_docstring_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_source(_: object) -> str:
        raise OSError("could not get source code")

    monkeypatch.setattr(inspect, "getsource", no_source)
    field_docs._docs_in.cache_clear()
    try:
        assert JobData.__doc__ == "A Job: one full run of a Pipeline, ingest and load."
    finally:
        field_docs._docs_in.cache_clear()


def test_a_section_that_is_written_stays_as_it_is() -> None:
    @show_fields
    class Written:
        """What it is.

        Attributes:
            one: The first.
        """

        one: int = 1
        """Something else."""

    assert inspect.getdoc(Written) == "What it is.\n\nAttributes:\n    one: The first."
