"""``recover``: what an outage has hit is synced, once each."""

from __future__ import annotations

import pytest

from hevo_edge._command_line.exit_codes import WORST_FIRST, ExitCode, worst
from hevo_edge.emulator import HevoEmulator
from tests.command_line.support import FAST, SHORT, CommandLine


@pytest.fixture
def outage(emulator: HevoEmulator) -> HevoEmulator:
    """Five Pipelines, of which 2, 3 and 5 were hit; 5 cannot run any more."""
    for number in (1, 2, 3, 4, 5):
        pipeline = emulator.add_pipeline(
            number,
            name=f"Shop {number}",
            **SHORT,
            status="DISABLED" if number == 5 else "ENABLED",
        )
        failed = number in {2, 3, 5}
        pipeline.add_history(
            created=emulator.now - 1800, status="FAILED" if failed else "COMPLETED", duration=30.0
        )
        pipeline.add_history(created=emulator.now - 900, status="SKIPPED", duration=0.0)
    return emulator


def test_what_was_hit_is_synced_once(outage: HevoEmulator, hevo_edge: CommandLine) -> None:
    done = hevo_edge("recover", "--since", "2h", "--json", *FAST)
    assert done.code == 0
    assert sorted(row["pipeline_id"] for row in done.rows) == [2, 3]
    assert {row["job"]["status"] for row in done.rows} == {"COMPLETED"}
    assert sorted(call.pipeline_id or 0 for call in outage.requests.of("sync_now")) == [2, 3]
    assert "Pipeline 2 (Shop 2) ended FAILED\n" in done.err
    assert "Pipeline 5 ended FAILED, but it is DISABLED\n" in done.err
    assert done.err.splitlines()[-1] == "2 of 2 have recovered"
    again = hevo_edge("recover", "--since", "2h")
    assert (again.code, again.out) == (0, "")


def test_a_dry_run_starts_nothing(outage: HevoEmulator, hevo_edge: CommandLine) -> None:
    code, out, _ = hevo_edge("recover", "--since", "2h", "--dry-run")
    assert code == 0
    assert out.splitlines() == [f"Pipeline {n} (Shop {n}) ended FAILED" for n in (2, 3)]
    assert outage.requests.of("sync_now") == []


def test_only_some_and_since_later(outage: HevoEmulator, hevo_edge: CommandLine) -> None:
    rows = hevo_edge("recover", "1", "2", "--since", "2h", "--dry-run", "--json").rows
    assert [row["pipeline_id"] for row in rows] == [2]
    assert hevo_edge("recover", "--since", "5m", "--dry-run").out == ""


def test_no_more_than_wanted_run_at_once(outage: HevoEmulator, hevo_edge: CommandLine) -> None:
    assert hevo_edge("recover", "--since", "2h", "--max", "1", *FAST).code == 0
    (first,), (second,) = (outage.pipeline(number).jobs[2:] for number in (2, 3))
    assert second.created >= first.created + 2.0 or first.created >= second.created + 2.0


def test_the_worst_outcome_is_the_exit_code(outage: HevoEmulator, hevo_edge: CommandLine) -> None:
    outage.pipeline(2).plan(outcome="FAILED")
    done = hevo_edge("recover", "--since", "2h", "--json", "-q", *FAST)
    assert done.code == 5
    assert sorted(row["exit_code"] for row in done.rows) == [0, 5]
    assert hevo_edge("recover", "99", "2", "--since", "2h", "-q", *FAST).code == 1


def test_the_order_of_the_worst() -> None:
    assert worst([]) == 0
    for place, code in enumerate(WORST_FIRST):
        assert worst(WORST_FIRST[place:]) == code
    ends = set(ExitCode) - {ExitCode.INTERRUPTED, ExitCode.TERMINATED}
    assert set(WORST_FIRST) == ends
