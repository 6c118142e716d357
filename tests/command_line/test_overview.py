"""``status``, ``objects``, ``top``, ``check``."""

from __future__ import annotations

import re

import pytest

from hevo_edge.emulator import HevoEmulator
from tests.command_line.support import FAST, CommandLine, end_of, process, until

HOSTILE = "\x1b[31mred\n\u202eRTL\x07 数据"


class TestStatus:
    def test_of_all_pipelines(self, emulator: HevoEmulator, hevo_edge: CommandLine) -> None:
        emulator.add_pipeline(7, name="New one")
        busy = emulator.add_pipeline(8, name="Busy", history=1, duration=36000.0)
        busy.add_history(created=emulator.now - 1200, status="FAILED", duration=60.0)
        busy.add_history(created=emulator.now - 600, status="SKIPPED", duration=0.0)
        assert hevo_edge("sync", "8", "--no-wait").code == 0
        code, out, err = hevo_edge("status")
        assert (code, err) == (0, "")
        title, *lines = out.splitlines()
        assert re.split(r"  +", title) == [
            *("PIPELINE", "NAME", "STATUS", "LAST JOB", "OUTCOME", "ENDED", "RUNS"),
        ]
        assert [re.split(r"  +", line)[:5] for line in lines] == [
            ["123", "Orders", "INITIALIZED", "INCREMENTAL", "COMPLETED"],
            ["7", "New one", "INITIALIZED", "never ran"],
            ["8", "Busy", "INITIALIZED", "INCREMENTAL", "FAILED"],
        ]
        assert re.search(r"\d+m ago  INCREMENTAL \w+$", lines[2])

    def test_of_some(self, emulator: HevoEmulator, hevo_edge: CommandLine) -> None:
        emulator.add_pipeline(7)
        rows = hevo_edge("status", "7", "123", "7", "--json").rows
        assert [row["pipeline_id"] for row in rows] == [7, 123]
        assert rows[0]["last_job"] is None
        assert rows[1]["last_job"]["status"] == "COMPLETED"
        assert emulator.requests.of("list_pipelines") == []

    def test_an_unknown_one_hides_no_other(self, hevo_edge: CommandLine) -> None:
        done = hevo_edge("status", "99", "123")
        assert done.code == 1
        assert "Orders" in done.out
        assert "404" in done.error

    def test_a_wrong_key_is_told_once(self, emulator: HevoEmulator, hevo_edge: CommandLine) -> None:
        emulator.api_key = "another"
        done = hevo_edge("status", *map(str, range(1, 30)))
        assert (done.code, done.out) == (4, "")
        assert "401" in done.error

    def test_no_pipelines(self, emulator: HevoEmulator, hevo_edge: CommandLine) -> None:
        emulator.service.pipelines.clear()
        assert hevo_edge("status") == (0, "", "no Pipelines\n")


class TestNarrowAndHostile:
    @pytest.mark.parametrize("columns", ["20", "80", None])
    @pytest.mark.parametrize("name", ["status", "top", "jobs", "objects"])
    def test_what_a_server_says_stays_on_its_line(
        self,
        emulator: HevoEmulator,
        hevo_edge: CommandLine,
        monkeypatch: pytest.MonkeyPatch,
        columns: str | None,
        name: str,
    ) -> None:
        emulator.add_pipeline(7, name=HOSTILE, objects=(HOSTILE,), duration=None)
        emulator.pipeline(7).start_job(HOSTILE, now=emulator.now - 60)
        if columns is not None:
            monkeypatch.setenv("COLUMNS", columns)
        options = {"top": ["--once"], "status": []}.get(name, ["7"])
        done = hevo_edge(name, *options)
        assert done.code == 0
        assert all(line.isprintable() for line in done.out.splitlines())
        if columns is None:
            assert "\\x1b" in done.out
        if columns == "20":
            lines = [line for line in done.out.splitlines() if len(line) > 20]
            assert all(" " not in line.strip() for line in lines), "a single word has no break"

    @pytest.mark.parametrize("name", ["status", "top"])
    def test_json_keeps_it_and_is_ascii(
        self, emulator: HevoEmulator, hevo_edge: CommandLine, name: str
    ) -> None:
        emulator.add_pipeline(7, name=HOSTILE, duration=None)
        emulator.pipeline(7).start_job(now=emulator.now - 60)
        done = hevo_edge(name, "--json", *(["--once"] if name == "top" else []))
        assert done.out.isascii()
        assert "\x1b" not in done.out
        assert done.rows[-1]["name"] == HOSTILE


def test_objects(hevo_edge: CommandLine) -> None:
    code, out, err = hevo_edge("objects", "123")
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == [
        *("OBJECT", "app.public.users", "app.public.orders", "app.public.items"),
    ]
    assert set(hevo_edge("objects", "123", "--json").rows[0]) == {
        *("object_id", "name", "status", "replication_status"),
    }


class TestTop:
    def test_once(self, emulator: HevoEmulator, hevo_edge: CommandLine) -> None:
        code, out, err = hevo_edge("top", "--once")
        assert (code, err) == (0, "")
        assert out.endswith("0 of 1 run\n")
        emulator.pipeline(123).plan(duration=None)
        hevo_edge("sync", "123", "--no-wait")
        _, out, _ = hevo_edge("top", "--once")
        assert "1 of 1 run" in out
        assert "Orders" in out

    def test_again_and_again_and_trouble_ends_nothing(self, emulator: HevoEmulator) -> None:
        top = process(emulator, "top", "--interval", "0.1", "--json", "-q")
        until(lambda: len(emulator.requests.of("list_jobs")) > 1, top)
        emulator.faults.status(400, on="list_pipelines")
        seen = len(emulator.requests.of("list_jobs"))
        until(lambda: len(emulator.requests.of("list_jobs")) > seen + 1, top)
        top.terminate()
        done = end_of(top)
        assert done.code == 143
        assert "400" in done.err
        assert done.err.splitlines()[-1] == "hevo-edge: interrupted"

    def test_ends_when_nobody_reads(self, emulator: HevoEmulator) -> None:
        top = process(emulator, "top", "--interval", "0.1")
        assert top.stdout is not None
        top.stdout.readline()
        top.stdout.close()
        assert top.stderr is not None
        assert top.wait(30) == 0
        assert top.stderr.read() == ""
        top.stderr.close()


class TestCheck:
    def test_all_is_right(self, emulator: HevoEmulator, hevo_edge: CommandLine) -> None:
        code, out, err = hevo_edge("check")
        assert (code, err) == (0, "")
        assert [line.partition(",")[0] for line in out.splitlines()] == [
            *("settings: ok", "network: ok", "key: ok", "role: ok"),
        ]
        assert emulator.base_url in out
        assert len(emulator.requests) == 1

    @pytest.mark.parametrize(
        ("status", "code", "results"),
        [
            (401, 4, ["ok", "ok", "WRONG", "unknown"]),
            (403, 4, ["ok", "ok", "ok", "WRONG"]),
            (404, 1, ["ok", "WRONG", "unknown", "unknown"]),
        ],
    )
    def test_something_is_wrong(
        self,
        emulator: HevoEmulator,
        hevo_edge: CommandLine,
        status: int,
        code: int,
        results: list[str],
    ) -> None:
        emulator.faults.status(status, times=None)
        done = hevo_edge("check", "--json")
        assert (done.code, done.err) == (code, "")
        assert [row["result"] for row in done.rows] == results

    def test_no_network(self, hevo_edge: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HEVO_BASE_URL", "http://127.0.0.1:9")
        done = hevo_edge("check")
        assert (done.code, done.err) == (1, "")
        assert "network: WRONG" in done.out
        assert len(done.out.splitlines()) == 4


class TestTheObjectsOfAJob:
    @pytest.mark.parametrize("outcome", ["FAILED", "COMPLETED_WITH_FAILURES"])
    def test_that_failed_come_first(
        self, emulator: HevoEmulator, hevo_edge: CommandLine, outcome: str
    ) -> None:
        emulator.pipeline(123).plan(outcome=outcome)
        failed = hevo_edge("sync", "123", "-q", *FAST)
        (advised,) = re.findall(r"hevo-edge (objects 123:\S+) shows", failed.error)
        done = hevo_edge(*advised.split())
        title, first, *others = done.out.splitlines()
        assert (done.code, done.err) == (0, "")
        assert title.split() == ["OBJECT", "STATUS", "PROCESSED", "FAILED"]
        assert re.fullmatch(r"\S+ +(FAILED|COMPLETED_WITH_FAILURES) +[\d,]+ +\d+", first)
        assert others
        rows = hevo_edge(*advised.split(), "--json").rows
        assert rows[0]["has_failed"]
        assert [row["has_failed"] for row in rows] == sorted(
            (row["has_failed"] for row in rows), reverse=True
        )
        assert rows[0]["name"] == first.split()[0]
        assert {type(row["rows_failed"]) for row in rows} == {int}

    def test_of_a_job_that_is_not_there(self, hevo_edge: CommandLine) -> None:
        done = hevo_edge("objects", "123:abc")
        assert (done.code, done.out) == (1, "")
        assert "404" in done.error
