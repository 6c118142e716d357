"""Cells with ``await``, in IPython's own shell: in a running loop as in Jupyter, and in its terminal."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import threading
import types
from collections.abc import Iterator
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from hevo_edge.emulator import HevoEmulator
from tests.applications.support import set_environment
from tests.pages.stage import fast_emulator

pytestmark = [
    pytest.mark.real_time,
    # Its history of cells is a database that it closes when the interpreter exits.
    pytest.mark.filterwarnings("ignore:unclosed database:ResourceWarning"),
]
Shell = Any
"""IPython's shell, which has few types."""
WAIT = "await job.await_completion(poll_interval=0.05)"


@pytest.fixture
def emulator() -> Iterator[HevoEmulator]:
    with fast_emulator() as emulator:
        yield emulator


@pytest.fixture
def shell(
    emulator: HevoEmulator,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Shell]:
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
    set_environment(monkeypatch, emulator)
    hooks = sys.displayhook, sys.excepthook
    # Its cells run in a module of their own: multiprocessing looks at ``__main__``.
    cells = types.ModuleType("cells")
    monkeypatch.setitem(sys.modules, "cells", cells)
    shell: Shell = InteractiveShell(user_module=cells)  # type: ignore[no-untyped-call]
    shell.history_manager.enabled = False
    yield shell
    shell.run_cell("await hevo.close()")
    shell.reset()
    sys.displayhook, sys.excepthook = hooks


FIRST = "from hevo_edge import HevoClient\nhevo = HevoClient.from_env()"


def cell(shell: Shell, code: str) -> Any:
    """Run a cell in IPython's terminal: its loop runs while a cell awaits, and no longer."""
    done = shell.run_cell(code)
    done.raise_error()
    return done.result


def polls(emulator: HevoEmulator) -> int:
    return len(emulator.requests.of("get_job"))


# -- in Jupyter, where a loop runs -----------------------------------------------------------------


async def jupyter(shell: Shell, code: str) -> Any:
    """Run a cell in the running loop, as Jupyter's kernel does; it interrupts one by a cancel."""
    done = await shell.run_cell_async(code, transformed_cell=shell.transform_cell(code))
    done.raise_error()
    return done.result


async def test_a_client_across_cells(shell: Shell, emulator: HevoEmulator) -> None:
    await jupyter(shell, FIRST)
    await jupyter(shell, "job = await hevo.pipeline(123).trigger(if_running='join')")
    done = await jupyter(shell, WAIT.replace(")", ", progress=True)"))
    assert str(done.status) == "COMPLETED"
    await jupyter(shell, "await hevo.close()")


async def test_the_first_cell_again(shell: Shell) -> None:
    """The client of before is closed when Python drops it, and nothing is said about that."""
    for _ in range(3):
        await jupyter(shell, FIRST)
        gc.collect()
        assert await jupyter(shell, "(await hevo.get_pipeline(123)).id") == 123
    await jupyter(shell, "await hevo.close()")


async def test_an_interrupted_cell_ends_its_wait(shell: Shell, emulator: HevoEmulator) -> None:
    emulator.pipeline(123).plan(duration=36000.0)
    await jupyter(shell, FIRST)
    await jupyter(shell, "job = await hevo.pipeline(123).trigger()")
    waiting = asyncio.ensure_future(jupyter(shell, WAIT))
    await asyncio.sleep(0.3)
    assert polls(emulator)
    waiting.cancel()
    await asyncio.wait({waiting})
    before = polls(emulator)
    await asyncio.sleep(0.3)
    assert polls(emulator) == before
    assert emulator.requests.of("cancel_job") == []
    assert await jupyter(shell, f"{WAIT[:-1]}, timeout=0.1, on_timeout='return')") is not None
    await jupyter(shell, "await hevo.close()")


async def test_run_works_in_a_cell(shell: Shell) -> None:
    await jupyter(shell, FIRST)
    await jupyter(
        shell,
        "from hevo_edge.orchestration import run\n"
        "async def read():\n"
        "    async with HevoClient.from_env() as own:\n"
        "        return (await own.get_pipeline(123)).id",
    )
    assert await jupyter(shell, "run(read())") == 123


# -- in IPython's terminal, where the loop stands still between cells ------------------------------


def test_a_client_across_cells_of_the_terminal(shell: Shell) -> None:
    cell(shell, FIRST)
    cell(shell, "job = await hevo.pipeline(123).trigger(if_running='join')")
    assert cell(shell, "(await job.refresh()).id == job.id")


def test_ctrl_c_in_the_terminal_ends_the_cell_and_a_close_the_wait(
    shell: Shell, emulator: HevoEmulator
) -> None:
    emulator.pipeline(123).plan(duration=36000.0)
    cell(shell, f"{FIRST}\nimport asyncio")
    cell(shell, "job = await hevo.pipeline(123).trigger()")
    # Twice if need be, as Python may lose one: what is raised in a finalizer is ignored.
    keys = [threading.Timer(each, os.kill, (os.getpid(), signal.SIGINT)) for each in (0.5, 30.0)]
    for key in keys:
        key.start()
    assert not shell.run_cell(WAIT).success
    for key in keys:
        key.cancel()
    before = polls(emulator)
    cell(shell, "await asyncio.sleep(0.4)")
    assert polls(emulator) > before
    cell(shell, "await hevo.close()")
    before = polls(emulator)
    cell(shell, "await asyncio.sleep(0.4)")
    assert polls(emulator) == before


def test_a_wait_in_the_background_needs_a_cell_that_awaits(
    shell: Shell, emulator: HevoEmulator
) -> None:
    emulator.pipeline(123).plan(duration=36000.0)
    cell(shell, f"{FIRST}\nimport asyncio, time")
    cell(shell, "job = await hevo.pipeline(123).trigger()")
    cell(
        shell,
        f"waiting = asyncio.ensure_future({WAIT.removeprefix('await ')}); await asyncio.sleep(0)",
    )
    before = polls(emulator)
    cell(shell, "time.sleep(0.5)")
    assert polls(emulator) == before
    cell(shell, "await asyncio.sleep(0.5)")
    assert polls(emulator) > before
    cell(shell, "waiting.cancel(); await asyncio.wait([waiting])")


def test_autoawait_trio_says_what_is_needed(
    shell: Shell, capsys: pytest.CaptureFixture[str]
) -> None:
    cell(shell, FIRST)
    cell(shell, "%autoawait trio")
    failed = shell.run_cell("await hevo.get_pipeline(123)")
    assert "hevo_edge needs asyncio" in str(failed.error_in_exec)
    cell(shell, "%autoawait asyncio")
    assert cell(shell, "(await hevo.get_pipeline(123)).id") == 123
