"""Where the blocks of the pages run: on an emulator, as if it were their reader's account.

A block runs in this process, in virtual time, so that waiting costs nothing; or, where it is about
threads, processes or logging, in a process of its own, on an emulator that is a hundred times as
fast as time.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import os
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import pytest

from hevo_edge import HevoClient
from hevo_edge.emulator import HevoEmulator
from tests.conftest import RepeatableLoop
from tests.pages.blocks import Block

T = TypeVar("T")
Arrange = Callable[[HevoEmulator], object]
# As its reader's may be: with no plugin but ours.
PYTEST = [
    part for name in ("asyncio", "cacheprovider", "randomly") for part in ("-p", f"no:{name}")
]


class Stage:
    """An account with the Pipelines that the pages speak of, in virtual time.

    Each ``asyncio.run`` of a block runs client and emulator in one loop.
    """

    def __init__(self, arrange: Arrange) -> None:
        self.emulator = HevoEmulator(seed=1)
        for number in (1, 2, 3, 124):
            self.emulator.add_pipeline(number)
        self.emulator.add_pipeline(123, history=1)
        arrange(self.emulator)
        self.run(asyncio.sleep(0))  # from here on it has a port

    def run(self, main: Coroutine[Any, Any, T], **_: object) -> T:
        """Run a coroutine beside the emulator; stands for ``asyncio.run``."""

        async def with_emulator() -> T:
            async with self.emulator:
                theirs = asyncio.all_tasks()
                try:
                    return await main
                finally:  # as asyncio.run does
                    left = asyncio.all_tasks() - theirs
                    for task in left:
                        task.cancel()
                    await asyncio.gather(*left, return_exceptions=True)

        loop = RepeatableLoop()
        try:
            return loop.run_until_complete(with_emulator())
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.run_until_complete(loop.shutdown_default_executor())
            loop.close()

    async def call(self, function: Callable[..., Coroutine[Any, Any, object]]) -> None:
        """Call a function that a block defines for its reader, with what its parameters ask for."""
        wanted = list(inspect.signature(function).parameters)
        async with HevoClient.from_env() as hevo:
            given: dict[str, object] = {"hevo": hevo, "pipeline_id": 123}
            if {"job", "ref"} & set(wanted):
                job = await hevo.pipeline(123).trigger()
                given |= {"job": job, "ref": job.ref}
            result = await function(*(given[name] for name in wanted))
        if result is not None:
            sys.stdout.write(f"{result}\n")


def play(block: Block, code: str, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a block in this process, in virtual time, and then what it defines and does not call."""
    monkeypatch.setattr(asyncio, "run", stage.run)
    module = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", module)
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if block.is_session else 0
    lines_before = "\n" * (block.line - 1)
    compiled = compile(lines_before + code, block.page, "exec", flags, dont_inherit=True)
    if compiled.co_flags & inspect.CO_COROUTINE:
        stage.run(eval(compiled, vars(module)))
        return
    exec(compiled, vars(module))
    for name in uncalled(code):
        stage.run(stage.call(getattr(module, name)))


def uncalled(code: str) -> list[str]:
    """Return the names of the coroutine functions that a block defines and does not use."""
    tree = ast.parse(code)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return [
        node.name
        for node in tree.body
        if isinstance(node, ast.AsyncFunctionDef) and node.name not in used
    ]


@contextmanager
def fast_emulator() -> Iterator[HevoEmulator]:
    """An emulator in a thread of its own, at a hundredfold speed."""
    with HevoEmulator(speed=100.0) as emulator:
        for number in (1, 2, 3, 124):
            emulator.add_pipeline(number, duration=20.0)
        emulator.add_pipeline(123, duration=20.0, history=1)
        yield emulator


def start(code: str, environment: Mapping[str, str], folder: Path) -> subprocess.Popen[str]:
    """Start a block in a process of its own, each warning an error; pytest runs one with tests."""
    script = folder / "test_block.py"
    script.write_text(code)
    runner = ["-m", "pytest", "-q", *PYTEST] if "def test_" in code else []
    return subprocess.Popen(
        [sys.executable, "-W", "error", *runner, f"{script}"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **environment, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
