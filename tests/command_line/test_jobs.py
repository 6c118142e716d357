"""``wait``, ``cancel``, ``jobs``."""

from __future__ import annotations

import re

import pytest

from hevo_edge._awaiting import failures
from hevo_edge.emulator import HevoEmulator
from tests.command_line.support import FAST, SHORT, CommandLine


def started(emulator: HevoEmulator, hevo_edge: CommandLine, duration: float = 36000.0) -> str:
    """Start a Job, and return its ref."""
    emulator.pipeline(123).plan(duration=duration)
    return hevo_edge("sync", "123", "--no-wait", "-q").out.strip()


class TestWait:
    def test_for_a_ref(self, emulator: HevoEmulator, hevo_edge: CommandLine) -> None:
        ref = started(emulator, hevo_edge, 20.0)
        done = hevo_edge("wait", ref, *FAST)
        assert done.code == 0
        assert done.out.startswith(f"{ref} COMPLETED after 20s")

    def test_for_a_moment(self, emulator: HevoEmulator, hevo_edge: CommandLine) -> None:
        ref = started(emulator, hevo_edge)
        done = hevo_edge("wait", ref, "--timeout", "0", "-q")
        assert (done.code, done.out) == (3, "")
        assert "IN_PROGRESS" in done.error

    def test_for_what_a_pipeline_runs(self, emulator: HevoEmulator, hevo_edge: CommandLine) -> None:
        ref = started(emulator, hevo_edge, 20.0)
        assert hevo_edge("wait", "123", "--json", *FAST).row["ref"] == ref

    def test_for_what_ended_since(self, hevo_edge: CommandLine) -> None:
        last = hevo_edge("jobs", "123", "--json").rows[0]["ref"]
        done = hevo_edge("wait", "123", "--ended-since", "2h", "--json", *FAST)
        assert (done.code, done.row["ref"]) == (0, last)

    def test_for_the_next_and_none_comes(self, hevo_edge: CommandLine) -> None:
        done = hevo_edge("wait", "123", "--next", "--timeout", "0.5", "--json", "-q", *FAST)
        assert (done.code, done.row["ref"]) == (3, None)
        assert "no new Job of Pipeline 123" in done.error

    def test_for_the_next(self, emulator: HevoEmulator, hevo_edge: CommandLine) -> None:
        emulator.add_pipeline(7, every_minutes=0.3, **SHORT)
        done = hevo_edge("wait", "7", "--next", "--json", "--timeout", "60", *FAST)
        assert (done.code, done.row["job"]["status"]) == (0, "COMPLETED")

    def test_for_a_job_that_is_not_there(
        self, hevo_edge: CommandLine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(failures, "CONFIRMING_INTERVAL", 0.1)
        done = hevo_edge("wait", "99:abc", "-q")
        assert (done.code, done.out) == (1, "")
        assert "404" in done.error


class TestWaitByTicket:
    def cut_off(self, emulator: HevoEmulator, hevo_edge: CommandLine, *, effect: str) -> str:
        emulator.pipeline(123).plan(appears_after=60.0)
        emulator.faults.drop(on="sync_now", effect=effect)
        assert hevo_edge("sync", "123", "--timeout", "5", "-q").code == 6
        (file,) = hevo_edge.stored
        return str(file)

    def test_finds_the_job(self, emulator: HevoEmulator, hevo_edge: CommandLine) -> None:
        file = self.cut_off(emulator, hevo_edge, effect="after")
        done = hevo_edge("wait", "--ticket", file, "--json", "-q", *FAST)
        assert done.code == 0, done.err
        assert done.row["job"]["status"] == "COMPLETED"
        assert len(emulator.requests.of("sync_now")) == 1
        assert hevo_edge.stored == []

    def test_that_is_not_found_in_time_keeps_the_ticket(
        self, emulator: HevoEmulator, hevo_edge: CommandLine
    ) -> None:
        file = self.cut_off(emulator, hevo_edge, effect="before")
        done = hevo_edge("wait", "--ticket", file, "--timeout", "0.2", "-q")
        assert done.code == 6
        assert done.err.splitlines()[-1].endswith(f"hevo-edge wait --ticket {file}")
        assert [str(each) for each in hevo_edge.stored] == [file]

    def test_starts_nothing_by_itself(self, emulator: HevoEmulator, hevo_edge: CommandLine) -> None:
        """A ticket that was made by nobody here is left where it is."""
        emulator.add_pipeline(7)
        ticket = hevo_edge.tickets.parent.parent / "ticket.json"
        ticket.parent.mkdir(parents=True)
        ticket.write_text('{"pipeline_id": 7, "action": "SYNC_NOW", "discovery_timeout": 1}')
        done = hevo_edge("wait", "--ticket", str(ticket), "-q")
        assert (done.code, done.out) == (1, "")
        assert "no run came of this ticket" in done.error
        assert emulator.requests.of("sync_now") == []
        assert ticket.exists()

    @pytest.mark.parametrize("content", ["", "{}", "nonsense", "\x1b[31m", '{"version": 9}'])
    def test_that_is_no_ticket(self, hevo_edge: CommandLine, content: str) -> None:
        file = hevo_edge.tickets.parent.parent.parent / "ticket.json"
        file.write_text(content)
        done = hevo_edge("wait", "--ticket", str(file))
        assert (done.code, done.out) == (2, "")
        assert "this is no ticket of version" in done.error


class TestCancel:
    def test_asks_and_says_so(self, emulator: HevoEmulator, hevo_edge: CommandLine) -> None:
        ref = started(emulator, hevo_edge)
        done = hevo_edge("cancel", ref)
        assert done.code == 0
        assert re.match(rf"{ref} (CANCELLING|CANCELLED)", done.out)
        assert len(emulator.requests.of("cancel_job")) == 1

    def test_waits_for_the_end(self, emulator: HevoEmulator, hevo_edge: CommandLine) -> None:
        ref = started(emulator, hevo_edge)
        done = hevo_edge("cancel", ref, "--wait", "--json", *FAST)
        assert (done.code, done.row["status"]) == (0, "CANCELLED")

    def test_leaves_one_that_has_ended(
        self, emulator: HevoEmulator, hevo_edge: CommandLine
    ) -> None:
        ref = hevo_edge("jobs", "123", "--json").rows[0]["ref"]
        done = hevo_edge("cancel", ref)
        assert (done.code, done.error) == (0, f"Job {ref} had ended already")
        assert emulator.requests.of("cancel_job") == []

    def test_of_an_unknown_job(self, hevo_edge: CommandLine) -> None:
        done = hevo_edge("cancel", "123:abc")
        assert (done.code, done.out) == (1, "")
        assert "404" in done.error


class TestJobs:
    def test_are_listed_newest_first(self, emulator: HevoEmulator, hevo_edge: CommandLine) -> None:
        emulator.add_pipeline(7, history=5)
        rows = hevo_edge("jobs", "7", "--json").rows
        assert len(rows) == 5
        assert [row["created"] for row in rows] == sorted(
            (row["created"] for row in rows), reverse=True
        )
        done = hevo_edge("jobs", "7", "--limit", "2")
        title, *lines = done.out.splitlines()
        assert title.split()[:3] == ["JOB", "STATUS", "TYPE"]
        assert [line.split()[0] for line in lines] == [row["ref"] for row in rows[:2]]

    def test_of_a_status_or_a_type(self, emulator: HevoEmulator, hevo_edge: CommandLine) -> None:
        pipeline = emulator.pipeline(123)
        pipeline.add_history(created=emulator.now - 900, status="FAILED")
        statuses = [row["status"] for row in hevo_edge("jobs", "123", "--json").rows]
        assert statuses == ["FAILED", "COMPLETED"]
        failed = hevo_edge("jobs", "123", "--json", "--status", "failed").rows
        assert [row["status"] for row in failed] == ["FAILED"]
        none = hevo_edge("jobs", "123", "--type", "HISTORICAL")
        assert (none.code, none.out, none.error) == (0, "", "no Jobs")
