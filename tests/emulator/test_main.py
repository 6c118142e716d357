"""``python -m hevo_edge.emulator``."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from hevo_edge.emulator import HevoEmulator
from hevo_edge.emulator.__main__ import emulator_of, main, parser, serve
from tests.emulator.conftest import asker, basic

COMMAND = [sys.executable, "-m", "hevo_edge.emulator", "--port", "0"]


def configured(*arguments: str) -> HevoEmulator:
    return emulator_of(parser().parse_args(arguments))


@asynccontextmanager
async def serving(emulator: HevoEmulator) -> AsyncIterator[None]:
    """Serve, and end as a user ends it: by a signal."""
    task = asyncio.create_task(serve(emulator))
    while emulator.base_url.endswith(":0"):  # noqa: ASYNC110 -- only its port tells
        await asyncio.sleep(0.001)
    try:
        yield
    finally:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(task, 10)


class TestOptions:
    def test_the_defaults(self) -> None:
        emulator = configured()
        assert emulator.base_url == "http://127.0.0.1:8787"
        assert (emulator.speed, emulator.seed, emulator.rate_limit) == (1.0, 0, 100)
        assert list(emulator.service.pipelines) == [123]
        assert emulator.pipeline(123).every_minutes is None

    def test_a_past_and_failures(self) -> None:
        emulator = configured("--pipelines", "1", "--history", "2", "--failed", "2", "--fail", "3")
        past = {
            number: [job.status for job in pipeline.jobs]
            for number, pipeline in emulator.service.pipelines.items()
        }
        done = ["COMPLETED", "COMPLETED"]
        assert past == {1: done, 2: [*done, "FAILED"], 3: done}
        jobs = [emulator.pipeline(number).start_job(now=emulator.now) for number in (2, 3)]
        assert [job.outcome for job in jobs] == ["COMPLETED", "FAILED"]

    def test_all_of_them(self) -> None:
        emulator = configured(
            *("--host", "0.0.0.0", "--port", "99", "--dialect", "oldest", "--speed", "60"),
            *("--seed", "7", "--rate-limit", "0", "--every-minutes", "30", "--duration", "5.5"),
            *("--api-key", "k", "--api-secret", "s"),
        )
        assert emulator.base_url == "http://0.0.0.0:99"
        assert (emulator.speed, emulator.seed, emulator.rate_limit) == (60.0, 7, None)
        assert (emulator.api_key, emulator.api_secret) == ("k", "s")
        assert emulator.dialect.in_progress == "500"
        assert emulator.pipeline(123).every_minutes == 30
        assert emulator.pipeline(123).duration == 5.5

    @pytest.mark.parametrize(
        ("text", "ids"),
        [("7", [7]), ("1,5,3", [1, 3, 5]), ("7,10-12", [7, 10, 11, 12]), ("4,4", [4])],
    )
    def test_pipelines(self, text: str, ids: list[int]) -> None:
        assert list(configured("--pipelines", text).service.pipelines) == ids

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ("--port x", "argument --port: invalid number value: 'x'"),
            ("--port 65536", "argument --port: 65536 is not from 0 to 65535"),
            ("--speed 0", "argument --speed: 0 is not more than 0"),
            ("--speed inf", "argument --speed: inf is not more than 0"),
            ("--speed nan", "argument --speed: nan is not more than 0"),
            ("--duration -1", "argument --duration: -1 is not at least 0"),
            ("--every-minutes 0", "argument --every-minutes: 0 is not more than 0"),
            ("--journal-limit -1", "argument --journal-limit: -1 is not at least 0"),
            ("--rate-limit -3", "argument --rate-limit: -3 is not at least 0"),
            ("--seed one", "argument --seed: invalid int value: 'one'"),
            ("--dialect klingon", "argument --dialect: invalid choice: 'klingon'"),
            ("--pipelines a,b", "argument --pipelines: 'a,b' is not a list of ids"),
            ("--pipelines 5-3", "argument --pipelines: '5-3' is not a list of ids"),
            ("--pipelines 0", "argument --pipelines: '0' is not a list of ids"),
            ("--nonsense", "unrecognized arguments: --nonsense"),
        ],
    )
    def test_bad_ones_are_refused(
        self, capsys: pytest.CaptureFixture[str], arguments: str, message: str
    ) -> None:
        with pytest.raises(SystemExit) as left:
            main(arguments.split())
        assert left.value.code == 2
        assert message in capsys.readouterr().err

    def test_a_taken_port_is_an_error(self, capsys: pytest.CaptureFixture[str]) -> None:
        with HevoEmulator() as emulator:
            port = emulator.base_url.rpartition(":")[2]
            with pytest.raises(SystemExit) as left:
                main(["--port", port])
        assert left.value.code == 2
        assert "cannot listen on 127.0.0.1" in capsys.readouterr().err


class TestServing:
    async def test_prints_what_can_be_pasted(self, capsys: pytest.CaptureFixture[str]) -> None:
        emulator = configured("--port", "0", "--api-key", "a b", "--api-secret", "$x'y")
        async with serving(emulator):
            welcome, *exports = capsys.readouterr().out.splitlines()
        assert emulator.base_url in welcome
        assert [shlex.split(line) for line in exports] == [
            ["export", f"HEVO_BASE_URL={emulator.base_url}"],
            ["export", "HEVO_API_KEY=a b"],
            ["export", "HEVO_API_SECRET=$x'y"],
            ["unset", "HEVO_REGION"],
        ]

    async def test_prints_each_request_in_a_line(
        self, capsys: pytest.CaptureFixture[str], session: aiohttp.ClientSession
    ) -> None:
        emulator = configured("--port", "0")
        async with serving(emulator):
            ask = asker(session, emulator)
            capsys.readouterr()
            await ask("GET", "/pipelines/123?limit=1")
            await ask("GET", "/pipelines/123", headers={})
            await ask("GET", "/od%0Ad", headers=basic(emulator))
            emulator.faults.drop()
            with pytest.raises(aiohttp.ServerDisconnectedError):
                await ask("POST", "/pipelines/123/actions/sync-now")
        lines = capsys.readouterr().out.splitlines()
        assert all(re.match(r"\d\d:\d\d:\d\d ", line) for line in lines)
        assert [line[9:] for line in lines] == [
            "GET /api/v1/pipelines/123 200",
            "GET /api/v1/pipelines/123 401",
            "GET /api/v1/od\\nd 404",
            "POST /api/v1/pipelines/123/actions/sync-now dropped drop",
        ]

    @pytest.mark.parametrize("stdout", [None, "closed", "broken"])
    async def test_it_serves_on_when_nobody_reads(
        self, stdout: str | None, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        emulator = configured("--port", "0", "--pipelines", "123")
        async with serving(emulator):
            if stdout is None:
                monkeypatch.setattr(sys, "stdout", None)
            else:
                reading, writing = os.pipe()
                pipe = os.fdopen(writing, "w")
                os.close(reading)
                if stdout == "closed":
                    pipe.close()
                monkeypatch.setattr(sys, "stdout", pipe)
            async with aiohttp.ClientSession() as session:
                url = f"{emulator.base_url}/api/v1/pipelines/123"
                async with session.get(url, headers=basic(emulator)) as reply:
                    assert reply.status == 200
            with contextlib.suppress(OSError, AttributeError):
                sys.stdout.close()
            monkeypatch.undo()

    def test_a_keyboard_interrupt_is_a_clean_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        async def interrupted(emulator: HevoEmulator) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr("hevo_edge.emulator.__main__.serve", interrupted)
        assert main(["--port", "0"]) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_cleanly(number: signal.Signals) -> None:
    with subprocess.Popen(
        COMMAND, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            lines = [process.stdout.readline() for _ in range(4)]
            assert lines[1].startswith("export HEVO_BASE_URL=http://127.0.0.1:")
            process.send_signal(number)
            assert process.wait(10) == 0
            assert process.stderr.read() == ""
        finally:
            process.kill()
