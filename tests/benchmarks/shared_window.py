"""What a slot of a window that processes share costs: our file, and SQLite.

Run it: python -m tests.benchmarks.shared_window [--seconds 2] [--processes 8]

A slot is one `take` and one `give_back`, in a window of which 90 of 100 slots are taken. Printed are the
time of a slot in one process, the slots that all processes get together, each taking them as fast as
it can, and how often the lock was held by another and for how long a call of ours blocked the event loop.

The SQLite window is written for this comparison, as one would write it: one table, `BEGIN IMMEDIATE`, no
waiting for locks in the library (that would block the loop), `synchronous=OFF`. Only taking and giving
back are there: no checks of owner and mode, no hold, no way back from a failure.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from hevo_edge._http.shared_window import RECHECK, FileWindow

CALLS, TAKEN, OCCUPIED = 100, 90, 60.1


class Slots(Protocol):
    def slot(self) -> bool:
        """Take a slot and give it back; say whether the lock was free for it."""
        ...


class OurFile:
    def __init__(self, path: Path) -> None:
        self._window = FileWindow(path, OCCUPIED)

    def fill(self) -> None:
        for _ in range(TAKEN):
            self._window.give_back(self._take(), time.monotonic(), sent=True)  # type: ignore[arg-type]

    def _take(self) -> object | None:
        taking = self._window.take(time.monotonic(), CALLS)
        try:
            taking.send(None)
        except StopIteration as taken:
            return taken.value  # type: ignore[no-any-return]
        raise AssertionError("it never waits")

    def slot(self) -> bool:
        taken = self._take()
        if taken is None:
            assert self._window.recheck_in != RECHECK, "the window is full"
            return False
        self._window.give_back(taken, time.monotonic(), sent=False)  # type: ignore[arg-type]
        return True


class Sqlite:
    """Args: ``kept`` keeps the connection, which a fork then breaks; else one is made for each use."""

    def __init__(self, path: Path, *, journal: str, kept: bool) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        with contextlib.closing(self._connect(timeout=10)) as database:
            database.execute(f"PRAGMA journal_mode={journal}")
            database.execute(
                "CREATE TABLE IF NOT EXISTS calls (id INTEGER PRIMARY KEY, expiry REAL, pid INTEGER)"
            )
        if kept:
            self._connection = self._connect()

    def _connect(self, timeout: float = 0) -> sqlite3.Connection:
        database = sqlite3.connect(self._path, timeout=timeout, isolation_level=None)
        database.execute("PRAGMA synchronous=OFF")
        return database

    def fill(self) -> None:
        with contextlib.closing(self._connect(timeout=10)) as database:
            rows = [(time.monotonic() + OCCUPIED, os.getpid())] * TAKEN
            database.executemany("INSERT INTO calls (expiry, pid) VALUES (?, ?)", rows)

    def slot(self) -> bool:
        try:
            taken = self._in_transaction(self._take)
        except sqlite3.OperationalError:  # it is locked
            return False
        while True:
            try:
                self._in_transaction(lambda database: self._give_back(database, taken))
            except sqlite3.OperationalError:
                time.sleep(0.0005)
            else:
                return True

    def _in_transaction(self, work: Callable[[sqlite3.Connection], int]) -> int:
        database = self._connection or self._connect()
        try:
            database.execute("BEGIN IMMEDIATE")
            try:
                return work(database)
            finally:
                database.execute("COMMIT")
        finally:
            if database is not self._connection:
                database.close()

    def _take(self, database: sqlite3.Connection) -> int:
        now = time.monotonic()
        database.execute("DELETE FROM calls WHERE expiry <= ?", (now,))
        (taken,) = database.execute("SELECT count(*) FROM calls").fetchone()
        assert taken < CALLS, "the window is full"
        values = (now + OCCUPIED, os.getpid())
        cursor = database.execute("INSERT INTO calls (expiry, pid) VALUES (?, ?)", values)
        return cursor.lastrowid or 0

    @staticmethod
    def _give_back(database: sqlite3.Connection, taken: int) -> int:
        return database.execute("DELETE FROM calls WHERE id = ?", (taken,)).rowcount


KINDS: dict[str, Callable[[Path], OurFile | Sqlite]] = {
    "our file": OurFile,
    "SQLite, connection for each use": lambda path: Sqlite(path, journal="DELETE", kept=False),
    "SQLite, WAL, for each use": lambda path: Sqlite(path, journal="WAL", kept=False),
    "SQLite, WAL, connection kept": lambda path: Sqlite(path, journal="WAL", kept=True),
}


def alone(kind: str, path: Path, seconds: float) -> list[float]:
    """Return the seconds of each slot."""
    window = KINDS[kind](path)
    window.fill()
    times, end = [], time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        window.slot()
        times.append(time.perf_counter() - began)
    return times


def compete(kind: str, path: Path, seconds: float) -> tuple[int, int, float]:
    """Return the slots that this process got, how often the lock was taken, and the longest call."""
    window = KINDS[kind](path)
    slots, busy, longest = 0, 0, 0.0
    end = time.perf_counter() + seconds

    async def take_for_a_while() -> None:
        nonlocal slots, busy, longest
        while time.perf_counter() < end:
            began = time.process_time()
            was_free = window.slot()
            longest = max(longest, time.process_time() - began)
            slots += was_free
            busy += not was_free
            await asyncio.sleep(0 if was_free else 0.002)

    asyncio.run(take_for_a_while())
    return slots, busy, longest


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--processes", type=int, default=8)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        print(f"{os.cpu_count()} cores, {folder}; a slot is one take and one give_back")
        for number, kind in enumerate(KINDS):
            times = alone(kind, Path(folder, f"alone{number}"), options.seconds)
            median = statistics.median(times) * 1e6
            slowest = statistics.quantiles(times, n=100)[98] * 1e6
            path = Path(folder, f"many{number}")
            KINDS[kind](path).fill()
            with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
                work = [(kind, path, options.seconds)] * options.processes
                results = pool.starmap(compete, work, chunksize=1)
            slots, busy = (sum(each[column] for each in results) for column in (0, 1))
            print(
                f"  {kind:32} one process: {median:5.0f} us (99 %: {slowest:5.0f} us)   "
                f"{options.processes} processes: {slots / options.seconds:6.0f} slots/s, "
                f"lock taken {busy / max(1, slots + busy):4.0%}, "
                f"longest {1e3 * max(each[2] for each in results):.1f} ms of CPU"
            )


if __name__ == "__main__":
    main()
