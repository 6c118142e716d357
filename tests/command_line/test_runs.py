"""``sync`` and ``resync``: exactly one run, its ref, its result, its exit code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hevo_edge import TriggerTicket
from hevo_edge._command_line import tickets
from hevo_edge.emulator import HevoEmulator
from tests.command_line.support import FAST, CommandLine

REF = r"123:[0-9a-f-]{36}"


def as_on_an_idle_machine(err: str) -> list[str]:
    """Return the lines; a reply that is late by the emulator's fast clock makes a Job likely."""
    return err.replace("(likely)", "(certain)").splitlines()


def test_sync_waits_and_writes_the_result(emulator: HevoEmulator, hevo_edge: CommandLine) -> None:
    code, out, err = hevo_edge("sync", "123", *FAST)
    assert code == 0
    assert re.fullmatch(rf"{REF} COMPLETED after 2s, 1,000 events loaded\n", out)
    ref = out.split()[0]
    assert f"Job {ref} started (certain)" in as_on_an_idle_machine(err)
    assert len(emulator.requests.of("sync_now")) == 1
    assert hevo_edge.stored == []


def test_what_it_says_is_said_once(emulator: HevoEmulator, hevo_edge: CommandLine) -> None:
    done = hevo_edge("sync", "123", "--json", *FAST)
    assert as_on_an_idle_machine(done.err)[:2] == [
        "Pipeline 123: looking for its Job",
        f"Job {done.row['ref']} started (certain)",
    ]
    emulator.pipeline(123).plan(duration=36000.0)
    ref = hevo_edge("sync", "123", "--no-wait", "-q").out.strip()
    done = hevo_edge("sync", "123", "--if-running", "replace", "--no-wait", "--json")
    assert as_on_an_idle_machine(done.err) == [
        f"Pipeline 123: waiting for Job {ref.partition(':')[2]} to end",
        f"cancelling Job {ref.partition(':')[2]} of Pipeline 123 to start a new one",
        "Pipeline 123: looking for its Job",
        f"Job {done.row['ref']} started (certain)",
    ]


def test_quiet_leaves_stderr_empty(hevo_edge: CommandLine) -> None:
    code, out, err = hevo_edge("sync", "123", "--quiet", *FAST)
    assert (code, err) == (0, "")
    assert "COMPLETED" in out


def test_without_waiting_the_ref_is_the_result(
    emulator: HevoEmulator, hevo_edge: CommandLine
) -> None:
    emulator.pipeline(123).plan(duration=36000.0)
    code, out, err = hevo_edge("sync", "123", "--no-wait", "-q")
    assert (code, err) == (0, "")
    assert re.fullmatch(rf"{REF}\n", out)
    assert emulator.requests.of("get_job") == []


def test_json_is_one_object_and_the_rest_is_on_stderr(hevo_edge: CommandLine) -> None:
    done = hevo_edge("sync", "123", "--json", *FAST)
    assert done.code == 0
    row = done.row
    assert (row["outcome"], row["exit_code"], row["ticket_file"]) == ("success", 0, None)
    assert row["ref"] == row["job"]["ref"]
    assert row["job"]["status"] == "COMPLETED"
    assert row["job"]["certainty"] in {"certain", "likely"}  # the emulator runs ten times as fast
    assert row["job"]["duration_seconds"] == 2.0
    assert row["job"]["created"].endswith("+00:00")
    assert "started" in done.err


class TestExitCodes:
    @pytest.mark.parametrize(
        "outcome", ["FAILED", "COMPLETED_WITH_FAILURES", "CANCELLED", "DEFERRED"]
    )
    def test_5_the_job_ended_badly(
        self, emulator: HevoEmulator, hevo_edge: CommandLine, outcome: str
    ) -> None:
        emulator.pipeline(123).plan(outcome=outcome)
        done = hevo_edge("sync", "123", "-q", *FAST)
        assert done.code == 5
        assert re.match(rf"{REF} {outcome} after", done.out)
        assert outcome in done.error

    @pytest.mark.parametrize(
        ("outcome", "options"),
        [
            ("COMPLETED_WITH_FAILURES", ["--accept-completed-with-failures"]),
            ("DEFERRED", ["--accept", "deferred"]),
        ],
    )
    def test_0_what_is_accepted(
        self, emulator: HevoEmulator, hevo_edge: CommandLine, outcome: str, options: list[str]
    ) -> None:
        emulator.pipeline(123).plan(outcome=outcome)
        done = hevo_edge("sync", "123", "-q", *options, *FAST)
        assert (done.code, done.err) == (0, "")

    def test_1_another_job_runs(self, emulator: HevoEmulator, hevo_edge: CommandLine) -> None:
        emulator.pipeline(123).plan(duration=36000.0)
        ref = hevo_edge("sync", "123", "--no-wait", "-q").out.strip()
        done = hevo_edge("sync", "123", *FAST)
        assert (done.code, done.out) == (1, "")
        assert ref.partition(":")[2] in done.error
        assert "Pass --if-running" in done.error
        row = hevo_edge("sync", "123", "--json").row
        assert (row["outcome"], row["ref"]) == ("error", None)
        assert row["job"]["ref"] == ref

    def test_1_no_such_pipeline(self, hevo_edge: CommandLine) -> None:
        done = hevo_edge("sync", "99")
        assert (done.code, done.out) == (1, "")
        assert "404" in done.error

    def test_1_no_network(self, hevo_edge: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HEVO_BASE_URL", "http://127.0.0.1:9")
        done = hevo_edge("sync", "123")
        assert (done.code, done.out) == (1, "")
        assert "cannot connect" in done.error
        assert hevo_edge.stored == []

    @pytest.mark.parametrize("name", ["sync", "resync"])
    def test_3_no_network_until_the_timeout(
        self, hevo_edge: CommandLine, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        monkeypatch.setenv("HEVO_BASE_URL", "http://127.0.0.1:9")
        done = hevo_edge(name, "123", "--timeout", "1", "-q")
        assert (done.code, done.out) == (3, "")
        assert "Nothing was sent" in done.err

    def test_1_a_pipeline_that_cannot_run(
        self, emulator: HevoEmulator, hevo_edge: CommandLine
    ) -> None:
        emulator.add_pipeline(7, status="DISABLED")
        done = hevo_edge("sync", "7")
        assert done.code == 1
        assert "DISABLED" in done.error

    def test_3_timed_out(self, emulator: HevoEmulator, hevo_edge: CommandLine) -> None:
        emulator.pipeline(123).plan(duration=36000.0)
        done = hevo_edge("sync", "123", "-q", "--timeout", "10", *FAST)
        assert (done.code, done.out) == (3, "")
        error, resume = done.err.splitlines()
        assert "still IN_PROGRESS" in error
        assert re.search(rf"hevo-edge wait {REF}$", resume)
        row = hevo_edge(
            "sync", "123", "--if-running", "join", "--timeout", "5", "--json", *FAST
        ).row
        assert (row["outcome"], row["job"]["status"]) == ("timeout", "IN_PROGRESS")

    def test_3_timed_out_before_the_post(
        self, emulator: HevoEmulator, hevo_edge: CommandLine
    ) -> None:
        emulator.pipeline(123).plan(duration=36000.0)
        hevo_edge("sync", "123", "--no-wait")
        done = hevo_edge("sync", "123", "-q", "--if-running", "wait", "--timeout", "0.5")
        assert (done.code, done.out) == (3, "")
        assert "Nothing was sent" in done.error

    @pytest.mark.parametrize("status", [401, 403])
    def test_4_authentication_or_permission(
        self, emulator: HevoEmulator, hevo_edge: CommandLine, status: int
    ) -> None:
        emulator.faults.status(status, times=None)
        done = hevo_edge("sync", "123")
        assert (done.code, done.out) == (4, "")
        assert str(status) in done.error

    def test_4_a_wrong_secret_is_not_shown(
        self, hevo_edge: CommandLine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HEVO_API_SECRET", "wrong-secret-of-mine")
        for options in ([], ["--debug"]):
            done = hevo_edge("sync", "123", *options)
            assert done.code == 4
            assert "wrong-secret-of-mine" not in done.out + done.err
            assert ("Traceback" in done.err) == bool(options)

    def test_6_the_outcome_is_unknown(self, emulator: HevoEmulator, hevo_edge: CommandLine) -> None:
        emulator.faults.drop(on="sync_now", effect="after")
        emulator.pipeline(123).plan(appears_after=1000.0)
        done = hevo_edge("sync", "123", "--timeout", "6", "--json", "-q", *FAST)
        assert done.code == 6
        (file,) = hevo_edge.stored
        row = done.row
        assert (row["outcome"], row["ref"], row["ticket_file"]) == ("unknown", None, str(file))
        assert done.err.splitlines()[-1].endswith(f"hevo-edge wait --ticket {file}")
        assert TriggerTicket.loads(file.read_text()).pipeline_id == 123
        assert file.stat().st_mode & 0o777 == 0o600
        assert file.parent.stat().st_mode & 0o777 == 0o700


class TestTheTicket:
    def test_is_in_its_file_before_the_post(
        self, emulator: HevoEmulator, hevo_edge: CommandLine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        seen: list[tuple[int, int]] = []
        write = tickets.TicketFile.save

        def watched(file: tickets.TicketFile, text: str) -> None:
            write(file, text)
            seen.append((len(emulator.requests.of("sync_now")), len(hevo_edge.stored)))

        monkeypatch.setattr(tickets.TicketFile, "save", watched)
        assert hevo_edge("sync", "123", "--no-wait").code == 0
        assert seen[0] == (0, 1)
        assert hevo_edge.stored == []

    def test_that_cannot_be_kept_starts_nothing(
        self, emulator: HevoEmulator, hevo_edge: CommandLine, tmp_path: Path
    ) -> None:
        (tmp_path / "state").write_text("a file where the folder should be")
        done = hevo_edge("sync", "123")
        assert (done.code, done.out) == (1, "")
        assert "nothing was started" in done.error
        assert emulator.requests.of("sync_now") == []

    def test_that_cannot_be_renewed_does_no_harm(
        self, hevo_edge: CommandLine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write, times = tickets.TicketFile.save, [0]

        def full_after_one(file: tickets.TicketFile, text: str) -> None:
            times[0] += 1
            if times[0] > 1:
                raise OSError(28, "No space left on device")
            write(file, text)

        monkeypatch.setattr(tickets.TicketFile, "save", full_after_one)
        done = hevo_edge("sync", "123", "-q", *FAST)
        assert done.code == 0
        assert "could not be renewed" in done.error
        assert hevo_edge.stored == []


class TestResync:
    def test_of_all_objects(self, emulator: HevoEmulator, hevo_edge: CommandLine) -> None:
        done = hevo_edge("resync", "123", "--drop-and-load", "--json", *FAST)
        assert done.code == 0
        assert done.row["job"]["type"] == "RESYNC_WITH_DROP_AND_LOAD"
        assert len(emulator.requests.of("resync_pipeline")) == 1

    @pytest.mark.parametrize("form", ["name", "path", "id"])
    def test_of_one_object(self, emulator: HevoEmulator, hevo_edge: CommandLine, form: str) -> None:
        ids = {row["name"]: row["object_id"] for row in hevo_edge("objects", "123", "--json").rows}
        wanted = ids["app.public.orders"]
        given = {"name": "orders", "path": "app.public.orders", "id": wanted}[form]
        done = hevo_edge("resync", "123", "--object", given, "--json", *FAST)
        assert done.code == 0, done.err
        (call,) = emulator.requests.of("resync_objects")
        assert wanted in str(call.body)
        assert ids["app.public.users"] not in str(call.body)

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("ordrs", "did you mean app.public.orders?"),
            ("zzz", "there are app.public.users, app.public.orders, app.public.items"),
        ],
    )
    def test_of_one_that_is_not_there(
        self, emulator: HevoEmulator, hevo_edge: CommandLine, name: str, words: str
    ) -> None:
        done = hevo_edge("resync", "123", "--object", name)
        assert (done.code, done.out) == (2, "")
        assert words in done.error
        assert emulator.requests.of("resync_objects") == []

    def test_of_a_name_that_two_have(self, emulator: HevoEmulator, hevo_edge: CommandLine) -> None:
        emulator.add_pipeline(7, objects=("users", "users"))
        done = hevo_edge("resync", "7", "--object", "users")
        assert done.code == 2
        ids = [row["object_id"] for row in hevo_edge("objects", "7", "--json").rows]
        assert all(each in done.error for each in ids)


@pytest.mark.parametrize("policy", ["join", "replace"])
def test_if_running(emulator: HevoEmulator, hevo_edge: CommandLine, policy: str) -> None:
    emulator.pipeline(123).plan(duration=20.0)
    first = hevo_edge("sync", "123", "--no-wait", "-q").out.strip()
    done = hevo_edge("sync", "123", "--if-running", policy, "--json", *FAST)
    assert done.code == 0, done.err
    assert (done.row["ref"] == first) == (policy == "join")
    assert len(emulator.requests.of("sync_now")) == (1 if policy == "join" else 2)
    assert len(emulator.requests.of("cancel_job")) == (policy == "replace")
