"""Ctrl-C and SIGTERM at any moment: no run is left behind unmentioned."""

from __future__ import annotations

import _thread
import asyncio.unix_events as unix
import os
import re
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from hevo_edge.emulator import HevoEmulator
from hevo_edge.emulator.journal import RecordedCall
from tests.command_line.support import FAST, CommandLine, end_of, process, until

BOTH = pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
LONG = 36000.0


def tickets(folder: Path) -> list[Path]:
    return sorted((folder / "state").rglob("*.json"))


def interrupted(process: subprocess.Popen[str], number: signal.Signals) -> tuple[int, str, str]:
    process.send_signal(number)
    done = end_of(process)
    assert "Traceback" not in done.err
    return done.code, done.out, done.err


@BOTH
def test_while_it_reads_nothing_was_started(
    emulator: HevoEmulator, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    emulator.faults.delay(LONG, on="list_jobs")
    sync = process(emulator, "sync", "123")
    until(lambda: emulator.requests.of("list_jobs"), sync)
    got, out, err = interrupted(sync, number)
    assert (got, out) == (code, "")
    assert err.splitlines()[-1] == "hevo-edge: interrupted; nothing was started"
    assert emulator.requests.of("sync_now") == []
    assert tickets(tmp_path) == []


@BOTH
def test_during_the_post_the_ticket_finds_the_run(
    emulator: HevoEmulator,
    hevo_edge: CommandLine,
    tmp_path: Path,
    number: signal.Signals,
    code: int,
) -> None:
    emulator.faults.delay(LONG, on="sync_now", effect="after")
    sync = process(emulator, "sync", "123", "-q")
    until(lambda: any(call.took_effect for call in emulator.requests.of("sync_now")), sync)
    got, out, err = interrupted(sync, number)
    (file,) = tickets(tmp_path)
    assert (got, out) == (code, "")
    first, resume = err.splitlines()
    assert first == "hevo-edge: interrupted"
    assert resume.endswith(f"hevo-edge wait --ticket {file}")
    resumed = hevo_edge(*resume.partition(": hevo-edge ")[2].split(), "--json", "-q", *FAST)
    assert resumed.code == 0, resumed.err
    assert resumed.row["job"]["status"] == "COMPLETED"
    assert tickets(tmp_path) == []
    assert len(emulator.requests.of("sync_now")) == 1


def test_while_it_searches_the_ticket_finds_the_run(emulator: HevoEmulator, tmp_path: Path) -> None:
    emulator.pipeline(123).plan(appears_after=LONG)
    sync = process(emulator, "sync", "123", "--json")
    # One list before the POST, the others after it.
    until(lambda: len(emulator.requests.of("list_jobs")) > 1, sync)
    got, out, err = interrupted(sync, signal.SIGTERM)
    assert got == 143
    (file,) = tickets(tmp_path)
    assert f'"ticket_file": "{file}"' in out
    assert '"outcome": "interrupted", "exit_code": 143' in out
    assert f"hevo-edge wait --ticket {file}" in err


@BOTH
@pytest.mark.parametrize("arguments", [("sync", "123"), ("wait",)])
def test_while_it_waits_the_job_goes_on_and_is_named(
    emulator: HevoEmulator,
    hevo_edge: CommandLine,
    number: signal.Signals,
    code: int,
    arguments: tuple[str, ...],
) -> None:
    emulator.pipeline(123).plan(duration=LONG)
    if arguments == ("wait",):
        ref = hevo_edge("sync", "123", "--no-wait", "-q").out.strip()
        arguments = ("wait", ref)
    command = process(emulator, *arguments, *FAST)
    until(lambda: emulator.requests.of("get_job"), command)
    got, out, err = interrupted(command, number)
    ref = f"123:{emulator.pipeline(123).jobs[-1].job_id}"
    assert (got, out) == (code, "")
    assert err.splitlines()[-1].endswith(f"hevo-edge wait {ref}")
    assert emulator.requests.of("cancel_job") == []


class TestCancelOnInterrupt:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_while_it_waits(self, emulator: HevoEmulator, number: signal.Signals) -> None:
        emulator.pipeline(123).plan(duration=LONG)
        sync = process(emulator, "sync", "123", "--cancel-on-interrupt", *FAST)
        until(lambda: emulator.requests.of("get_job"), sync)
        code, _, err = interrupted(sync, number)
        assert code == 128 + number
        assert re.search(r"Hevo was asked to cancel Job 123:\S+$", err.splitlines()[-1])
        assert "not cancelled" not in err
        assert len(emulator.requests.of("cancel_job")) == 1

    def test_during_the_post(self, emulator: HevoEmulator, tmp_path: Path) -> None:
        emulator.pipeline(123).plan(duration=LONG, appears_after=0.0)
        emulator.faults.delay(LONG, on="sync_now", effect="after")
        sync = process(emulator, "sync", "123", "--cancel-on-interrupt", "-q")
        until(lambda: any(call.took_effect for call in emulator.requests.of("sync_now")), sync)
        code, _, err = interrupted(sync, signal.SIGINT)
        assert code == 130
        # The reply never came, so whose run it is cannot be known for sure: it is named instead.
        ref = f"123:{emulator.pipeline(123).jobs[-1].job_id}"
        assert f"Job {ref} is not surely this command's own" in err
        assert err.splitlines()[-1].endswith(f"hevo-edge wait {ref}")
        assert emulator.requests.of("cancel_job") == []
        assert tickets(tmp_path) == []

    def test_while_it_searches(self, emulator: HevoEmulator, tmp_path: Path) -> None:
        emulator.pipeline(123).plan(duration=LONG, appears_after=30.0)
        sync = process(emulator, "sync", "123", "--cancel-on-interrupt")
        until(lambda: len(emulator.requests.of("list_jobs")) > 1, sync)
        code, _, err = interrupted(sync, signal.SIGINT)
        assert code == 130
        assert err.count("looking for its Job") == 1
        assert len(err.splitlines()) == 3
        assert "Hevo was asked to cancel Job 123:" in err
        assert tickets(tmp_path) == []

    def test_leaves_alone_what_was_running_before(
        self, emulator: HevoEmulator, hevo_edge: CommandLine
    ) -> None:
        emulator.pipeline(123).plan(duration=LONG)
        ref = hevo_edge("sync", "123", "--no-wait", "-q").out.strip()
        options = ("--if-running", "join", "--cancel-on-interrupt")
        sync = process(emulator, "sync", "123", *options, *FAST)
        until(lambda: emulator.requests.of("get_job"), sync)
        _, _, err = interrupted(sync, signal.SIGINT)
        assert f"Job {ref} is not surely this command's own" in err
        assert err.splitlines()[-1].endswith(f"hevo-edge wait {ref}")
        assert emulator.requests.of("cancel_job") == []

    def test_a_cancel_that_fails_is_told(self, emulator: HevoEmulator) -> None:
        emulator.pipeline(123).plan(duration=LONG)
        emulator.faults.status(403, on="cancel_job", times=None)
        sync = process(emulator, "sync", "123", "--cancel-on-interrupt", *FAST)
        until(lambda: emulator.requests.of("get_job"), sync)
        code, _, err = interrupted(sync, signal.SIGINT)
        assert code == 130
        assert "not cancelled: " in err
        assert "hevo-edge wait 123:" in err.splitlines()[-1]


def test_a_second_one_leaves_at_once_and_names_the_job(emulator: HevoEmulator) -> None:
    emulator.pipeline(123).plan(duration=LONG)
    emulator.faults.delay(LONG, on="cancel_job")
    sync = process(emulator, "sync", "123", "--cancel-on-interrupt", *FAST)
    until(lambda: emulator.requests.of("get_job"), sync)
    sync.send_signal(signal.SIGINT)
    until(lambda: emulator.requests.of("cancel_job"), sync)
    began = time.monotonic()
    code, _, err = interrupted(sync, signal.SIGINT)
    assert time.monotonic() - began < 5, "a cancel may take ten seconds"
    assert code == 130
    assert "hevo-edge wait 123:" in err.splitlines()[-1]


def test_recover_names_all_that_run(emulator: HevoEmulator) -> None:
    for number in (1, 2, 3):
        pipeline = emulator.add_pipeline(number, duration=LONG)
        pipeline.add_history(created=emulator.now - 600, status="FAILED", duration=30.0)
    recover = process(emulator, "recover", "--since", "2h", "--max", "2", *FAST)
    until(lambda: len({c.pipeline_id for c in emulator.requests.of("get_job")}) == 2, recover)
    code, _, err = interrupted(recover, signal.SIGTERM)
    assert code == 143
    named = re.findall(r"hevo-edge wait (\d):\S+$", err, re.MULTILINE)
    assert sorted(named) == sorted({str(c.pipeline_id) for c in emulator.requests.of("sync_now")})


def test_one_that_is_ignored_stays_so(emulator: HevoEmulator) -> None:
    """As nohup and a shell's background jobs have it."""
    emulator.pipeline(123).plan(duration=30.0)

    def ignore() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    sync = process(emulator, "sync", "123", *FAST, preexec_fn=ignore)
    until(lambda: emulator.requests.of("get_job"), sync)
    sync.send_signal(signal.SIGHUP)
    assert end_of(sync).code == 0


def test_handlers_are_as_before_when_it_is_over(hevo_edge: CommandLine) -> None:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = [signal.getsignal(number) for number in numbers]
    assert hevo_edge("status").code == 0
    assert [signal.getsignal(number) for number in numbers] == before


def test_where_loops_take_no_signal_handlers(
    hevo_edge: CommandLine, emulator: HevoEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Windows."""

    def refuse(*_: object) -> None:
        raise NotImplementedError

    monkeypatch.setattr(unix._UnixSelectorEventLoop, "add_signal_handler", refuse)
    monkeypatch.setattr(unix._UnixSelectorEventLoop, "remove_signal_handler", refuse)
    emulator.pipeline(123).plan(duration=LONG)

    def press_ctrl_c(call: RecordedCall) -> None:
        if call.endpoint == "get_job":
            _thread.interrupt_main(signal.SIGINT)

    emulator.on_request = press_ctrl_c
    # Again if need be, as Python may lose one: what is raised in a finalizer is ignored.
    again = threading.Timer(30.0, os.kill, (os.getpid(), signal.SIGINT))
    again.start()
    done = hevo_edge("sync", "123", "-q", *FAST)
    again.cancel()
    assert done.code == 130
    assert "hevo-edge wait 123:" in done.err.splitlines()[-1]


def test_after_a_kill_the_ticket_that_waits_is_named(
    emulator: HevoEmulator, hevo_edge: CommandLine, tmp_path: Path
) -> None:
    emulator.pipeline(123).plan(duration=LONG, appears_after=0.0)
    emulator.faults.delay(LONG, on="sync_now", effect="after")
    sync = process(emulator, "sync", "123", "-q")
    until(lambda: any(call.took_effect for call in emulator.requests.of("sync_now")), sync)
    (file,) = tickets(tmp_path)
    words = f"an earlier run of this command has left a ticket; .*: hevo-edge wait --ticket {file}"
    assert not re.search(words, hevo_edge("sync", "123", "-q").err), "it is not left: sync lives"
    sync.kill()
    end_of(sync)
    error, named = hevo_edge("sync", "123", "-q").err.splitlines()
    assert "is running" in error
    assert re.fullmatch(f"hevo-edge: {words}", named)
    joined = hevo_edge("sync", "123", "--if-running", "join", "--no-wait")
    assert re.search(words, joined.err)
    skipped = hevo_edge("sync", "123", "--if-running", "skip")
    assert re.search(words, skipped.err)
    late = hevo_edge("sync", "123", "--if-running", "wait", "--timeout", "1")
    assert late.code == 3
    assert re.search(words, late.err), "nothing was started now, but before"
    (tmp_path / "state/hevo-edge/tickets/123-broken.json").write_text("nonsense")
    another = file.with_name("123-another.json")
    another.write_text(file.read_text().replace('"account":"', '"account":"x'))
    assert len(hevo_edge("sync", "123", "-q").err.splitlines()) == 2
    emulator.pipeline(123).jobs[-1].end(emulator.now, "COMPLETED")
    assert re.search(words, hevo_edge("sync", "123", "--no-wait").err), "of a Job that is over too"


def test_a_ticket_is_named_when_a_sync_is_interrupted_before_its_post(
    emulator: HevoEmulator, tmp_path: Path
) -> None:
    emulator.pipeline(123).plan(duration=LONG, appears_after=0.0)
    emulator.faults.delay(LONG, on="sync_now", effect="after")
    sync = process(emulator, "sync", "123", "-q")
    until(lambda: any(call.took_effect for call in emulator.requests.of("sync_now")), sync)
    sync.kill()
    end_of(sync)
    (file,) = tickets(tmp_path)
    reads = len(emulator.requests)
    waiting = process(emulator, "sync", "123", "-q", "--if-running", "wait")
    until(lambda: len(emulator.requests) > reads, waiting)
    waiting.send_signal(signal.SIGINT)
    done = end_of(waiting)
    assert done.code == 130
    assert f"hevo-edge wait --ticket {file}" in done.err
    assert "nothing was started" in done.err
