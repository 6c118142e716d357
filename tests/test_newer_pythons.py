"""Whether newer Pythons than those at hand would complain: what they deprecate or remove is an error.

CPython 3.14 to 3.16, by their lists of changes and of pending removals. ``docs/design.md`` says
what cannot be seen this way.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = [ROOT / name for name in ("hevo_edge", "tests", "examples")]
SOURCES = [ROOT / "noxfile.py", *(path for each in FOLDERS for path in sorted(each.rglob("*.py")))]

WATCHERS = {"Abstract", "Safe", "MultiLoop", "Fast", "Threaded", "Pidfd"}
GONE: dict[str, set[str]] = {
    "abc": {"ByteString", "ResourceReader", "Traversable", "TraversableResources"},
    "argparse": {"FileType"},
    "ast": {"Bytes", "Ellipsis", "NameConstant", "Num", "Str"},
    "asyncio": {
        "AbstractEventLoopPolicy",
        "DefaultEventLoopPolicy",
        "get_child_watcher",
        "get_event_loop",
        "get_event_loop_policy",
        "iscoroutinefunction",
        "set_child_watcher",
        "set_event_loop_policy",
        *(f"{kind}ChildWatcher" for kind in WATCHERS),
    },
    "codecs": {"open"},
    "datetime": {"utcfromtimestamp", "utcnow"},
    "importlib": {"find_loader"},
    "locale": {"getdefaultlocale"},
    "logging": {"warn"},
    # How a process starts by default differs: who needs one way says which, by get_context.
    "multiprocessing": {"Manager", "Pool", "Process", "Queue"},
    "pkgutil": {"find_loader", "get_loader"},
    "platform": {"java_ver"},
    "shutil": {"ExecError"},
    "sys": {"_clear_type_cache"},
    "typing": {"ByteString", "no_type_check_decorator"},
}
"""What is deprecated or no more, or behaves otherwise, by the last part of its module or class."""


# -- what stands in the source -----------------------------------------------------------------------


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_source_uses_nothing_that_is_deprecated(path: Path) -> None:
    assert list(complaints(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "planted",
    [
        "import asyncio\nasyncio.iscoroutinefunction(print)",
        "from asyncio import get_event_loop as loop",
        "from datetime import datetime\ndatetime.utcnow()",
        "import datetime\ndatetime.datetime.utcfromtimestamp(0)",
        "import collections.abc\ncollections.abc.ByteString",
        "import multiprocessing\nmultiprocessing.Process(target=print)",
        "from concurrent.futures import ProcessPoolExecutor\nProcessPoolExecutor(2)",
        "def f():\n  try: pass\n  finally: return 1",
        "for _ in ():\n  try: pass\n  finally:\n    if 1: break",
        "while 1:\n  try: pass\n  finally:\n    with x: continue",
        "from functools import partial\nclass A:\n  f = partial(print, 1)",
        "def f(x: int) -> None: ...",
    ],
)
def test_the_search_finds_it(planted: str) -> None:
    assert len(list(complaints(planted))) == 1


@pytest.mark.parametrize(
    "harmless",
    [
        "try: pass\nfinally:\n  for _ in (): break",
        "try: pass\nfinally:\n  def f(): return 1",
        "import asyncio\nasyncio.get_running_loop()",
        "import codecs, io\nio.open('x')",
        "ProcessPoolExecutor(2, mp_context=context)",
    ],
)
def test_the_search_finds_nothing_else(harmless: str) -> None:
    assert list(complaints(harmless)) == []


def complaints(source: str) -> Iterator[str]:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        for each in [*deprecated_names(node), *changed_meanings(node)]:
            yield f"line {each.lineno}: {ast.unparse(each)}"
    has_annotations = any(getattr(node, "annotation", None) for node in ast.walk(tree))
    # Where it is left out, a comment that names it says why.
    if has_annotations and "from __future__ import annotations" not in source:
        yield "annotations that are evaluated at another time"


def deprecated_names(node: ast.AST) -> Iterator[ast.stmt | ast.expr]:
    if isinstance(node, ast.Attribute) and node.attr in GONE.get(last_part(node.value), ()):
        yield node
    if isinstance(node, ast.ImportFrom):
        gone = GONE.get((node.module or "").rpartition(".")[2], set())
        yield from (node for each in node.names if each.name in gone)


def changed_meanings(node: ast.AST) -> Iterator[ast.stmt | ast.expr]:
    if isinstance(node, ast.Call) and last_part(node.func) == "ProcessPoolExecutor":
        if all(keyword.arg != "mp_context" for keyword in node.keywords):
            yield node  # its processes start in the default way
    elif isinstance(node, ast.Try):
        for part in node.finalbody:
            yield from leaves(part, in_loop=False)
    elif isinstance(node, ast.ClassDef):
        values = [each.value for each in node.body if isinstance(each, ast.Assign)]
        calls = [each for each in values if isinstance(each, ast.Call)]
        # A partial becomes a method.
        yield from (each for each in calls if last_part(each.func) == "partial")


def last_part(node: ast.AST) -> str:
    return ast.unparse(node).rpartition(".")[2]


def leaves(node: ast.stmt, *, in_loop: bool) -> Iterator[ast.stmt]:
    """Yield what leaves a ``finally`` that this statement stands in."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return
    if isinstance(node, ast.Return) or (
        isinstance(node, (ast.Break, ast.Continue)) and not in_loop
    ):
        yield node
    in_loop = in_loop or isinstance(node, (ast.For, ast.AsyncFor, ast.While))
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            yield from leaves(child, in_loop=in_loop)
        elif isinstance(child, (ast.ExceptHandler, ast.match_case)):
            for each in child.body:
                yield from leaves(each, in_loop=in_loop)


# -- what runs ---------------------------------------------------------------------------------------

AS_IF_NEWER = """
import asyncio, codecs, datetime, sys

def deprecated(owner, name):
    original = getattr(owner, name)
    def stand_in(*args, **kwargs):
        caller = sys._getframe(1).f_globals["__name__"]
        if not caller.startswith("aiohttp."):  # which looks at the version before
            raise DeprecationWarning(f"{owner.__name__}.{name} is called by {caller}")
        return original(*args, **kwargs)
    setattr(owner, name, stand_in)

for name in ("iscoroutinefunction", "get_event_loop_policy", "set_event_loop_policy"):
    deprecated(asyncio, name)
deprecated(codecs, "open")
asyncio.get_event_loop = asyncio.get_running_loop  # it makes no loop any more
for name in [name for name in vars(asyncio) if name.endswith(("ChildWatcher", "LoopPolicy"))]:
    delattr(asyncio, name)
for name in ("get_child_watcher", "set_child_watcher"):
    vars(asyncio).pop(name, None)
"""

TRIGGER_AND_WAIT = """
from hevo_edge import *
from hevo_edge import client, job, pipeline, triggering, api, models, options
from hevo_edge.emulator import HevoEmulator, virtual_time
from hevo_edge.orchestration import Account, ClientPool, Run, RunSpec

failures = [OSError("an outage")]

async def main():
    async with HevoEmulator(seed=1) as emulator:
        emulator.add_pipeline(123, duration=600, history=2)
        emulator.faults.status(503, on="*", times=None, probability=0.2)
        account = Account.parse(
            login=emulator.api_key, password=emulator.api_secret, host=emulator.base_url
        )
        async def read(key):
            if failures:
                raise failures.pop()
            return account
        pool = ClientPool()
        async with pool.lease("hevo", read) as hevo:
            handle = await hevo.pipeline(123).trigger(timeout=600)
            await handle.await_completion(poll_interval="auto", timeout=3600, progress=True)
            await hevo.await_all([handle.ref], timeout=60)
            attempt = Run(RunSpec(123, if_running="join"), None, account=account.fingerprint)
            await attempt.start(hevo)
            print((await attempt.wait(hevo)).kind, handle.data.status)
            print(sum(call.status == 503 for call in emulator.requests) > 0)

virtual_time.run(main())
"""


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    # UTF-8 becomes the encoding of files: so what reads one without saying how is an error.
    options = ["-X", "dev", "-X", "warn_default_encoding", "-W", "error"]
    return subprocess.run(
        [sys.executable, *options, "-c", AS_IF_NEWER + code],
        env={**os.environ, "TMPDIR": f"{folder}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_trigger_and_wait_call_nothing_that_is_deprecated(tmp_path: Path) -> None:
    done = run(TRIGGER_AND_WAIT, tmp_path)
    assert (done.returncode, done.stdout) == (0, "success COMPLETED\nTrue\n"), done.stderr


@pytest.mark.parametrize(
    "planted",
    [
        "import backoff\n@backoff.on_exception(backoff.expo, OSError)\nasync def f(): ...",
        "asyncio.get_event_loop()",
        "asyncio.get_event_loop_policy()",
        "asyncio.AbstractEventLoopPolicy",
        "codecs.open('/dev/null')",
        "open('/dev/null')",
    ],
)
def test_a_call_of_it_would_be_noticed(planted: str, tmp_path: Path) -> None:
    done = run(planted, tmp_path)
    assert done.returncode == 1
    assert re.search("DeprecationWarning|EncodingWarning|RuntimeError|AttributeError", done.stderr)
