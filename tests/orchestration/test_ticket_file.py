"""The ticket store that is a file."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from hevo_edge import errors
from hevo_edge.emulator import HevoEmulator
from hevo_edge.orchestration import Outcome, Run, RunSpec, TicketFile
from tests.conftest import client_of


def test_it_keeps_the_last_text(tmp_path: Path) -> None:
    store = TicketFile(tmp_path / "tasks" / "orders.json")
    assert store.load() is None
    for text in ("one", "two \u20ac"):
        store.save(text)
        assert store.load() == text
    assert [path.name for path in store.path.parent.iterdir()] == ["orders.json"]
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    store.delete()
    assert store.load() is None
    store.delete()


def test_a_crash_leaves_the_old_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = TicketFile(str(tmp_path / "orders.json"))
    store.save("old")

    def broken(_: int) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(os, "fsync", broken)
    with pytest.raises(OSError, match="the disk is gone"):
        store.save("new")
    assert store.load() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["orders.json"]


def test_what_another_has_put_there_is_not_written_to(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / f"orders.json.{os.getpid()}.new").symlink_to(victim)
    TicketFile(tmp_path / "orders.json").save("mine")
    assert victim.read_text() == "precious"


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "orders.json").write_bytes(b"\xff\xfe")
    with pytest.raises(errors.ConfigurationError, match=r"orders\.json cannot be read"):
        TicketFile(tmp_path / "orders.json").load()


async def test_a_run_resumes_from_it(emulator: HevoEmulator, tmp_path: Path) -> None:
    async def attempt() -> Outcome:
        run = Run(RunSpec(123), TicketFile(tmp_path / "orders.json"), account="account")
        async with client_of(emulator) as hevo:
            started = await run.start(hevo)
            if isinstance(started, Outcome):
                return started
            if len(emulator.requests.of("get_job")) == 0:
                raise KeyboardInterrupt  # the process dies
            outcome = await run.wait(hevo)
        run.finish(outcome)
        return outcome

    with pytest.raises(KeyboardInterrupt):
        await attempt()
    assert (await attempt()).kind == "success"
    assert len(emulator.requests.of("sync_now")) == 1
    assert list(tmp_path.iterdir()) == []
