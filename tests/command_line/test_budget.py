"""``budget``: what is used and free of the call budget, and who uses it."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from hevo_edge import HevoClient, RateLimit
from hevo_edge.emulator import HevoEmulator
from tests.command_line.support import CommandLine


def two_calls(emulator: HevoEmulator, limit: RateLimit) -> None:
    async def call() -> None:
        async with HevoClient.from_env(rate_limit=limit) as hevo:
            await hevo.get_pipeline(123)
            await hevo.pipeline(123).enable()

    asyncio.run(call())


def test_of_this_machine(emulator: HevoEmulator, hevo_edge: CommandLine) -> None:
    two_calls(emulator, RateLimit(shared=True))
    code, out, err = hevo_edge("budget")
    assert (code, err) == (0, "")
    first, title, free, process = out.splitlines()
    assert re.match(r"2 of 100 calls in 60 s are used; the next one comes free in .*s; ", first)
    assert title.split() == [
        *("PROCESS", "CALLS", "CANCEL", "TRIGGER", "DISCOVERY", "POLL", "LIST", "UNKNOWN"),
    ]
    assert free.split() == ["free", "now", "98", "96", "93", "88", "88"]
    assert process.split()[1:] == ["2", "2"], "the file of a machine does not tell what for"
    assert len(emulator.requests) == 2, "looking at the budget uses none of it"


def test_the_commands_of_a_machine_share_it(emulator: HevoEmulator, hevo_edge: CommandLine) -> None:
    assert hevo_edge("status").code == 0
    assert hevo_edge("budget", "--json").row["used"] == len(emulator.requests) > 0


@pytest.mark.skipif(sys.platform == "win32", reason="there is no shared file")
def test_a_machine_without_a_place_for_it(hevo_edge: CommandLine, tmp_path: Path) -> None:
    (tmp_path / f"hevo_edge-{os.geteuid()}").write_text("in the folder's place")
    done = hevo_edge("status")
    assert done.code == 0
    assert "this process counts its own calls alone" in done.error


def test_of_a_store(
    emulator: HevoEmulator,
    hevo_edge: CommandLine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = str(tmp_path / "window")
    two_calls(emulator, RateLimit(shared=store))
    monkeypatch.setenv("HEVO_RATE_LIMIT_STORE", store)
    row = hevo_edge("budget", "--json").row
    assert (row["calls"], row["used"], row["free"]["trigger"]) == (100, 2, 96)
    assert (row["shared_through"], row["is_alone"]) == (store, False)
    assert [each["used"] for each in row["holders"]] == [{"unknown": 2}]
    assert hevo_edge("check").code == 0, "all commands use that store"
    assert hevo_edge("budget", "--json").row["used"] == 3


def test_a_store_of_a_profile(
    emulator: HevoEmulator,
    hevo_edge: CommandLine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HEVO_TEAM_API_KEY", emulator.api_key)
    monkeypatch.setenv("HEVO_TEAM_API_SECRET", emulator.api_secret)
    monkeypatch.setenv("HEVO_TEAM_BASE_URL", emulator.base_url)
    monkeypatch.setenv("HEVO_TEAM_RATE_LIMIT_STORE", str(tmp_path / "window"))
    row = hevo_edge("budget", "--json", "--profile", "team").row
    assert row["shared_through"] == str(tmp_path / "window")


@pytest.mark.parametrize(
    ("store", "name", "message"),
    [
        ("memcached://here", "", "RateLimit.shared"),
        ("redis://:very-secret@127.0.0.1:port", "", "RateLimit.shared"),
        ("", "etl", "need the URL of a Redis"),
    ],
)
def test_a_wrong_store(
    hevo_edge: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
    store: str,
    name: str,
    message: str,
) -> None:
    monkeypatch.setenv("HEVO_RATE_LIMIT_STORE", store)
    monkeypatch.setenv("HEVO_RATE_LIMIT_NAME", name)
    done = hevo_edge("check")
    assert done.code == 2
    assert message in done.error
    assert "very-secret" not in done.err


def test_the_environment_is_that_of_from_env(
    hevo_edge: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEVO_RATE_LIMIT_STORE", str(tmp_path / "window"))

    async def place(hevo: HevoClient) -> str | None:
        async with hevo:
            return (await hevo.budget()).shared_through

    assert asyncio.run(place(HevoClient.from_env())) == str(tmp_path / "window")
    assert asyncio.run(place(HevoClient.from_env(rate_limit=RateLimit(50)))) is None
