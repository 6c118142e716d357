"""Each call against each reply. A long run: ``nox -s fuzz``."""

from __future__ import annotations

import asyncio
import gzip
import logging
import os
import pickle
import signal
import time
import tracemalloc
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hevo_edge import HevoClient, errors
from hevo_edge._common.clock import Clock
from hevo_edge.emulator import virtual_time

from .calls import CALLS
from .replies import Reply, bomb, plain, replies
from .server import Server

KEY, SECRET = "fuzz-key-0123456789", "fuzz-secret-0123456789"
LONGEST = 4 * 3600.0  # virtual seconds
LONGEST_REAL = 20
LONGEST_TEXT = 10_000
IS_LONG = "FUZZ_EXAMPLES" in os.environ
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "40"))
plans = st.lists(st.none() | replies(), min_size=1, max_size=6)


class Shown(logging.Handler):
    """All that was logged."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


async def outcome_of(name: str, plan: Sequence[Reply | None], repeats: bool, shown: Shown) -> None:
    """Make a call; raise what is neither a result nor a typed error."""
    trouble: list[str] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: trouble.append(f"{context['message']}: {context.get('exception')!r}")
    )
    async with Server(plan, repeats=repeats) as server:
        url = f"http://127.0.0.1:{server.port}"
        async with HevoClient(KEY, SECRET, base_url=url, clock=Clock(1)) as hevo:
            try:
                result = await asyncio.wait_for(CALLS[name](hevo), LONGEST)
                shown.texts.append(repr(result)[:LONGEST_TEXT])
            except errors.HevoError as error:
                assert type(pickle.loads(pickle.dumps(error))) is type(error)
                shown.texts += [str(error), repr(error)]
    await asyncio.sleep(0.01)
    assert trouble == []
    assert asyncio.all_tasks() == {asyncio.current_task()}


def check(name: str, plan: Sequence[Reply | None], *, repeats: bool = False) -> None:
    shown, logger = Shown(), logging.getLogger("hevo_edge")
    propagates, level = logger.propagate, logger.level
    logger.addHandler(shown)
    logger.propagate = False
    logger.setLevel(logging.DEBUG)
    try:
        with at_most(LONGEST_REAL):
            virtual_time.run(outcome_of(name, plan, repeats, shown))
    finally:
        logger.removeHandler(shown)
        logger.propagate = propagates
        logger.setLevel(level)
    for text in shown.texts:
        assert SECRET not in text
        assert KEY not in text
        assert len(text) <= LONGEST_TEXT


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """Interrupt what takes too long in real time: a loop that never waits."""

    def interrupt(_: int, __: FrameType | None) -> None:
        raise AssertionError(f"it took more than {seconds} real seconds")

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("names", [[name] for name in CALLS] if IS_LONG else [list(CALLS)])
@settings(max_examples=EXAMPLES, derandomize=not IS_LONG, deadline=None)
@given(data=st.data(), plan=plans, repeats=st.booleans())
def test_every_reply_ends_in_a_typed_error_or_a_result(
    names: list[str], data: st.DataObject, plan: list[Reply | None], repeats: bool
) -> None:
    check(data.draw(st.sampled_from(names)), plan, repeats=repeats)


MIB = 1 << 20
LARGE = {
    "gzip": bomb(gzip.compress(b"0" * 64 * MIB), "gzip"),
    "deflate": bomb(zlib.compress(b"[" * 64 * MIB), "deflate"),
    "zeros for rows": plain(b'{"data": [' + b"0," * 200_000 + b"0]}"),
    "nulls for rows": plain(b'{"data": [' + b"null," * 100_000 + b"null]}"),
    "small rows": plain(b'{"data": [' + b'{"job_id": "x"},' * 20_000 + b'{"job_id": "x"}]}'),
    "deep": plain(b'{"data": ' + b"[" * 500_000),
    "digits": plain(b'{"data": [' + b"1" * MIB + b"]}"),
    "an error": plain(b'{"message": "' + b"m" * MIB + b'"}', "400 x"),
    "a page": plain(b"<html>" + b"h" * MIB, "502 x"),
    "a name": plain(b'{"id": 123, "name": "' + b"n" * MIB + b'", "status": "s"}'),
}
FOR_LARGE: tuple[str, ...] = ("list_jobs", "refresh_schema")
if IS_LONG:
    FOR_LARGE += ("get_pipeline", "trigger", "job.await_completion")


@pytest.mark.parametrize("name", FOR_LARGE)
@pytest.mark.parametrize("kind", LARGE)
def test_a_large_reply_takes_little_time_and_memory(name: str, kind: str) -> None:
    reply = LARGE[kind]
    tracemalloc.start()
    try:
        began = time.process_time()
        check(name, [reply])
        spent = time.process_time() - began
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 40 * MIB + 10 * len(reply.raw)
    assert spent < 5.0
