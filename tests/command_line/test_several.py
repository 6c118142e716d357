"""``sync`` of several Pipelines, and a result for each Pipeline that was named, however it ended."""

from __future__ import annotations

import signal

import pytest

from hevo_edge._command_line import session
from hevo_edge._command_line.interrupts import Interrupted
from hevo_edge.emulator import HevoEmulator
from tests.command_line.support import FAST, SHORT, CommandLine, end_of, process, until


def test_all_are_synced_at_once_and_the_worst_is_the_exit_code(
    emulator: HevoEmulator, hevo_edge: CommandLine
) -> None:
    for number in (1, 2):
        emulator.add_pipeline(number, **SHORT)
    emulator.pipeline(2).plan(outcome="FAILED")
    done = hevo_edge("sync", "123", "1", "2", "2", "99", "--json", *FAST)
    assert done.code == 1
    codes = {row["pipeline_id"]: (row["outcome"], row["exit_code"]) for row in done.rows}
    assert codes == {
        **dict.fromkeys((123, 1), ("success", 0)),
        2: ("failed", 5),
        99: ("error", 1),
    }
    assert sorted(call.pipeline_id or 0 for call in emulator.requests.of("sync_now")) == [1, 2, 123]
    assert done.err.splitlines()[-1] == "2 of 4 ended well"
    (first,), (second,) = (emulator.pipeline(number).jobs for number in (1, 2))
    assert abs(second.created - first.created) < SHORT["duration"], "both at once"


def test_without_waiting_there_is_a_ref_for_each(
    emulator: HevoEmulator, hevo_edge: CommandLine
) -> None:
    emulator.add_pipeline(1, **SHORT)
    done = hevo_edge("sync", "1", "123", "--no-wait")
    assert done.code == 0
    assert {line.partition(":")[0] for line in done.out.splitlines()} == {"1", "123"}
    assert done.err.splitlines()[-1] == "2 of 2 were started"


def test_an_interrupt_names_all_that_run(emulator: HevoEmulator) -> None:
    emulator.add_pipeline(1, duration=36000.0)
    emulator.pipeline(123).plan(duration=36000.0)
    running = process(emulator, "sync", "1", "123", "--json", *FAST)
    awaited = emulator.requests.of
    until(lambda: {call.pipeline_id for call in awaited("get_job")} == {1, 123}, running)
    running.send_signal(signal.SIGINT)
    done = end_of(running)
    assert done.code == 130
    assert sorted(row["pipeline_id"] for row in done.rows) == [1, 123]
    assert {row["outcome"] for row in done.rows} == {"interrupted"}
    assert all(f"hevo-edge wait {row['ref']}" in done.err for row in done.rows)


class TestSkip:
    """A Job runs, and that is as well."""

    def test_a_job_that_runs(self, emulator: HevoEmulator, hevo_edge: CommandLine) -> None:
        emulator.pipeline(123).plan(duration=36000.0)
        ref = hevo_edge("sync", "123", "--no-wait", "-q").out.strip()
        done = hevo_edge("sync", "123", "--if-running", "skip")
        assert (done.code, done.out) == (0, "")
        assert done.error == "Pipeline 123 is skipped, as a Job runs: nothing started"
        assert hevo_edge("sync", "123", "--if-running", "skip", "-q").err == ""
        row = hevo_edge("resync", "123", "--if-running", "skip", "--json").row
        assert (row["outcome"], row["exit_code"], row["job"]["ref"]) == ("skipped", 0, ref)
        assert len(emulator.requests.of("sync_now")) == 1
        emulator.add_pipeline(1, **SHORT)
        both = hevo_edge("sync", "1", "123", "--if-running", "skip", *FAST)
        assert both.err.splitlines()[-1] == "2 of 2 ended well or were skipped"

    def test_no_job_that_runs(self, hevo_edge: CommandLine) -> None:
        done = hevo_edge("sync", "123", "--if-running", "skip", "--json", *FAST)
        assert (done.row["outcome"], done.row["job"]["status"]) == ("success", "COMPLETED")

    def test_nothing_else_is_skipped(self, hevo_edge: CommandLine) -> None:
        assert hevo_edge("sync", "99", "--if-running", "skip").code == 1


class TestEachNamedPipelineHasAResult:
    """With ``--json``, whatever has ended the command."""

    def test_that_was_started_and_is_not_awaited(self, hevo_edge: CommandLine) -> None:
        row = hevo_edge("sync", "123", "--no-wait", "--json").row
        assert (row["outcome"], row["exit_code"]) == ("started", 0)

    @pytest.mark.parametrize(
        ("arguments", "ids"),
        [
            ("sync 1 2", [1, 2]),
            ("resync 1", [1]),
            ("wait 1", [1]),
            ("wait 1:550e8400-e29b-41d4-a716-446655440000", [1]),
        ],
    )
    def test_without_a_key(
        self,
        hevo_edge: CommandLine,
        monkeypatch: pytest.MonkeyPatch,
        arguments: str,
        ids: list[int],
    ) -> None:
        monkeypatch.delenv("HEVO_API_KEY")
        done = hevo_edge(*arguments.split(), "--json")
        assert done.code == 2
        assert [row["pipeline_id"] for row in done.rows] == ids
        assert {(row["outcome"], row["exit_code"]) for row in done.rows} == {("usage", 2)}
        assert all("HEVO_API_KEY" in row["message"] for row in done.rows)

    def test_interrupted_before_anything_was_sent(
        self, hevo_edge: CommandLine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def press_ctrl_c(*_: object) -> None:
            raise Interrupted(signal.SIGINT)

        monkeypatch.setattr(session, "run", press_ctrl_c)
        done = hevo_edge("sync", "1", "2", "--json")
        assert done.code == 130
        assert [(row["pipeline_id"], row["outcome"]) for row in done.rows] == [
            (1, "interrupted"),
            (2, "interrupted"),
        ]
        assert done.error == "hevo-edge: interrupted; nothing was sent"

    def test_that_recover_could_not_read(
        self, emulator: HevoEmulator, hevo_edge: CommandLine
    ) -> None:
        blocked = emulator.add_pipeline(6, status="DISABLED")
        blocked.add_history(created=emulator.now - 600, status="FAILED", duration=30.0)
        done = hevo_edge("recover", "6", "999", "--since", "2h", "--json")
        assert done.code == 1
        assert (done.row["pipeline_id"], done.row["outcome"]) == (999, "error")
        assert done.err.splitlines()[-1] == (
            "1 of 2 Pipelines need a sync; 1 cannot have one; 1 could not be read"
        )
