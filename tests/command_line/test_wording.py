"""Errors speak of options and commands, for those who have no Python at hand."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import hevo_edge as package
from hevo_edge._command_line.wording import in_options, wording
from hevo_edge.emulator import HevoEmulator
from hevo_edge.errors import JobFailed
from tests.command_line.support import FAST, CommandLine

PYTHON = re.compile(
    r"=(True|False|None)\b|\b[a-z]+(_[a-z]+)+=|=[\"'(]|\berror\.|\bHevoClient\b|\bTriggerTicket\b"
    r"|\b(Job|Pipeline)\.\w|\bNone\b|\w\(\)"
)
"""What only says something to who writes Python."""
ROOT = Path(package.__file__).parent
SHOWN = ("_awaiting", "_http", "_jobs", "_triggering")
"""Packages whose errors the command line shows; and the modules of the client itself."""
UNREACHABLE = (
    # Said to code that makes a client, hands objects over, or mixes loops and processes.
    "HevoClient() got an unexpected",
    "a Hevo client is not picklable",
    "a HevoClient is not picklable",
    "the aiohttp session",
    "this HevoClient is closed",
    "this HevoClient was closed",
    "this Job was unpickled",
    "this takes a TriggerTicket",
    "x cannot be awaited here",
    "Config(",
    "HevoClient(",
    # The command line checks its settings before.
    "x is missing: pass it to HevoClient",
    "region is missing: pass",
    "rate_limit must be",
)
FILLED = {"joins": '"join", ', "ticket.if_running": "join"}


def templates() -> Iterator[str]:
    """Yield the texts in code that raises or advises, with a word for each of their values."""
    paths = [path for name in SHOWN for path in (ROOT / name).rglob("*.py")]
    for path in [*paths, *(ROOT / name for name in ("client.py", "job.py", "pipeline.py"))]:
        yield from texts_of(ast.parse(path.read_text()))
    for name in ("_pipeline_objects.py", "_pipeline_handle.py", "errors.py"):
        yield from texts_of(ast.parse((ROOT / name).read_text()))


def texts_of(tree: ast.AST) -> Iterator[str]:
    inner: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            inner.add(id(node.value))  # a docstring
        elif isinstance(node, ast.JoinedStr):
            inner.update(map(id, node.values))
            yield "".join(map(filled, node.values))
        elif isinstance(node, ast.Constant) and id(node) not in inner:
            yield str(node.value)


def filled(part: ast.expr) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    assert isinstance(part, ast.FormattedValue)
    return FILLED.get(ast.unparse(part.value), "x")


def test_no_message_speaks_python() -> None:
    found = [text for text in templates() if " " in text and not text.endswith("| None")]
    python = [text for text in found if PYTHON.search(text)]
    assert len(python) > 15, "the search finds nothing any more"
    left = [in_options(text) for text in python if not text.startswith(UNREACHABLE)]
    assert [text for text in left if PYTHON.search(text)] == []
    for start in UNREACHABLE:
        assert any(text.startswith(start) for text in found), f"there is no {start!r} any more"


@pytest.mark.parametrize(
    ("policy", "words"),
    [("join", "joining it"), ("wait", "waiting for it"), ("replace", "replacing it")],
)
def test_what_each_policy_could_not_do(policy: str, words: str) -> None:
    said = in_options(f'if_running="{policy}" could not help; try again when it has ended')
    assert said == f"{words} could not help; try again when it has ended"


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ("FAILED", "; hevo-edge objects {ref} shows which objects failed"),
        (
            "COMPLETED_WITH_FAILURES",
            (
                "; hevo-edge objects {ref} shows which objects failed; pass "
                "--accept-completed-with-failures if that is good enough"
            ),
        ),
        ("DEFERRED", ". Pass --accept DEFERRED if that is good enough"),
    ],
)
def test_a_job_that_ended_badly(
    emulator: HevoEmulator, hevo_edge: CommandLine, outcome: str, words: str
) -> None:
    emulator.pipeline(123).plan(outcome=outcome)
    done = hevo_edge("sync", "123", "-q", "--json", *FAST)
    assert done.error.endswith(words.format(ref=done.row["ref"]))
    assert done.error == f"hevo-edge: {done.row['message']}"


def test_a_job_that_runs(emulator: HevoEmulator, hevo_edge: CommandLine) -> None:
    emulator.pipeline(123).plan(duration=36000.0)
    hevo_edge("sync", "123", "--no-wait", "-q")
    done = hevo_edge("sync", "123")
    assert done.error.endswith(
        "Pass --if-running join, replace or wait, or try again when it has ended"
    )
    done = hevo_edge("resync", "123")
    assert "Pass --if-running replace or wait, or" in done.error


def test_an_outcome_that_is_unknown(emulator: HevoEmulator, hevo_edge: CommandLine) -> None:
    emulator.faults.drop(on="sync_now", effect="after")
    emulator.pipeline(123).plan(appears_after=1000.0)
    done = hevo_edge("sync", "123", "--timeout", "6", "-q", *FAST)
    error, resume = done.err.splitlines()
    assert not PYTHON.search(error)
    assert "hevo-edge wait --ticket FILE searches again" in error
    assert "hevo-edge wait --ticket " in resume


def test_the_advised_command_names_the_profile() -> None:
    job: Any = SimpleNamespace(ref="123:a b")
    error = JobFailed("it ended FAILED", job=job, advice="see Job.list_objects() for which failed")
    assert wording(error, "prod").endswith(
        "hevo-edge objects --profile prod '123:a b' shows which failed"
    )
