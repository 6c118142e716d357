"""What a reply that is made to be costly costs: seconds of the event loop, and memory.

Run it: python tests/benchmarks/hostile_replies.py [--rounds 3]

For each shape of body and each size up to the largest that the client reads, a fresh process reads
it as the client does, and another one by a bare json.loads. Prints, of each, the least processor time
over the rounds and how far the process grew (Linux only), and the ratio of both to json.loads. The
goal is at most 0.2 s, and at most ten times the size of the body or 32 MiB, whichever is more.
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hevo_edge import api, errors
from hevo_edge._http.responses import MAX_VALUES, read_body
from hevo_edge._http.transport import MAX_REPLY_BYTES
from hevo_edge.models import JobData
from hevo_edge.models._page import MAX_PAGE_ROWS

SIZES = (64 << 10, 1 << 20, MAX_REPLY_BYTES)
JOB, JOBS, ACTION = api.get_job(1, "x"), api.list_jobs(1), api.sync_now(1)
FIELDS = [
    name
    for name in JobData.model_fields
    if name not in {"job_id", "billable_events", "non_billable_events"}
]
HOW = ("client", "json")
Build = Callable[[int], bytes]


def page(row: bytes) -> Build:
    """Return a page of so many bytes at most, of numbered rows."""

    def build(size: int) -> bytes:
        rows = (size - 20) // (len(row) + 8)
        return b'{"data":[%s]}' % b",".join(row % number for number in range(rows))

    return build


def row_of(value: bytes) -> bytes:
    """Return a row whose fields all have one value."""
    return b'{"job_id":"%d",' + b",".join(b'"%s":%s' % (n.encode(), value) for n in FIELDS) + b"}"


def most(build: Build, values_each: int) -> Build:
    """Return a body with as many values as are read, and padded to the size."""

    def padded(size: int) -> bytes:
        count = min(size // 16, MAX_VALUES // values_each - 10)
        body = build(count)
        return body[:-1] + b',"p":"%s"}' % (b"x" * max(0, size - len(body) - 8))

    return padded


def many(unit: bytes) -> Build:
    return lambda count: b'{"job_id":"x","e":[%s]}' % b",".join([unit] * count)


def half(build: Build) -> Build:
    """Return a body that is read leniently, with half as many values as that may have."""
    return lambda count: build(count // 2 - 100)[:-1] + b',"s":"\\ud83d"}'


def keys(count: int) -> bytes:
    return b'{"job_id":"x",%s}' % b",".join(b'"k%d":0' % number for number in range(count))


SHAPES: dict[str, tuple[api.Request[Any], Build]] = {
    "rows that are numbers": (JOBS, lambda size: b'{"data":[%s0]}' % (b"0," * (size // 2 - 6))),
    "rows that are empty": (JOBS, lambda size: b'{"data":[%s{}]}' % (b"{}," * (size // 3 - 5))),
    "smallest valid rows": (JOBS, page(b'{"job_id":"%d"}')),
    "whole rows": (JOBS, page(row_of(b"1704067200000"))),
    "as many rows as are read": (
        JOBS,
        lambda _: b'{"data":[%s]}' % b",".join(row_of(b"5") % n for n in range(MAX_PAGE_ROWS)),
    ),
    "all values invalid": (
        JOBS,
        lambda _: b'{"data":[%s]}' % b",".join(row_of(b"[]") % n for n in range(MAX_PAGE_ROWS)),
    ),
    "some values invalid": (
        JOBS,
        lambda _: b'{"data":[%s]}' % b",".join(row_of(b"[]") % n for n in range(250)),
    ),
    "empty arrays": (ACTION, lambda size: b"[%s[]]" % (b"[]," * (size // 3 - 5))),
    "arrays, as many as are read": (JOB, most(many(b"[]"), 2)),
    "objects, as many as are read": (JOB, most(many(b'{"a":1}'), 2)),
    "numbers, as many as are read": (JOB, most(many(b"1.5"), 1)),
    "fields, as many as are read": (JOB, most(keys, 1)),
    "nested arrays": (JOB, lambda size: b'{"job_id":"x","e":%s' % (b"[" * (size - 20))),
    "one long number": (JOB, lambda size: b'{"job_id":"x","e":%s}' % (b"1" * (size - 30))),
    "long numbers": (
        JOB,
        lambda size: b'{"job_id":"x","e":[%s1]}' % ((b"1" * 4299 + b",") * (size // 4300)),
    ),
    "one long string": (JOB, lambda size: b'{"job_id":"x","e":"%s"}' % (b"x" * (size - 30))),
    "escapes": (JOB, lambda size: b'{"job_id":"x","e":"%s"}' % (b"\\u00e9" * (size // 6 - 5))),
    "a lone surrogate, objects": (JOB, most(half(many(b'{"a":1}')), 1)),
    "a lone surrogate, fields": (JOB, most(half(keys), 1)),
    "UTF-16": (
        JOB,
        lambda size: ('{"job_id":"x","e":"%s"}' % ("x" * (size // 2 - 30))).encode("utf-16"),
    ),
    "no UTF-8": (JOB, lambda size: b"\xff" * size),
}


def measure(shape: str, size: int, how: str, rounds: int) -> tuple[float, float, int, str]:
    """Return the least seconds, the growth and the size in bytes, and what came of it."""
    request, build = SHAPES[shape]
    body = build(size)
    assert len(body) <= MAX_REPLY_BYTES, (shape, len(body))
    seconds, grown, result = [], 0, ""
    for _ in range(rounds):
        gc.collect()
        before = _peak(reset=True)
        start = time.process_time()
        try:
            value = json.loads(body) if how == "json" else read_body(request, 200, body, None)
            result = "read"
        except errors.UnexpectedResponse:
            value, result = None, "refused"
        except (ValueError, RecursionError):
            value, result = None, "no JSON"
        seconds.append(time.process_time() - start)
        grown = max(grown, _peak() - before)
        del value
    return min(seconds), grown, len(body), result


def _peak(*, reset: bool = False) -> int:
    """Return the highest resident size in bytes since it was last reset; 0 where nobody knows."""
    status, clear = Path("/proc/self/status"), Path("/proc/self/clear_refs")
    if not status.exists():
        return 0
    if reset:
        clear.write_text("5")
    lines = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
    return int(lines[0].split()[1]) * 1024


def in_a_process(shape: str, size: int, how: str, rounds: int) -> Any:
    """Measure in a fresh process."""
    call = [sys.executable, __file__, "--rounds", str(rounds), "--one", shape, str(size), how]
    return json.loads(subprocess.run(call, check=True, capture_output=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", nargs=3, metavar=("SHAPE", "SIZE", "HOW"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one is not None:
        shape, size, how = options.one
        print(json.dumps(measure(shape, int(size), how, options.rounds)))
        return
    print(
        f"{'body':30} {'KiB':>6} {'ms':>7} {'MiB':>6} {'x size':>7} {'x json.loads: ms, MiB':>22}"
    )
    slowest, largest = 0.0, 0.0
    for shape in SHAPES:
        for size in SIZES:
            ours, bare = (in_a_process(shape, size, how, options.rounds) for how in HOW)
            seconds, grown, length, result = ours
            print(
                f"{shape:30} {length >> 10:6} {seconds * 1e3:7.1f} {grown / 2**20:6.1f} "
                f"{grown / length:7.1f} {seconds / max(bare[0], 1e-6):11.2f} "
                f"{grown / max(bare[1], 4096):10.2f}  {result}"
            )
            slowest = max(slowest, seconds)
            largest = max(largest, grown / max(10 * length, 32 << 20))
    print(
        f"slowest: {slowest:.3f} s (goal 0.2); largest: {largest:.2f} of what is allowed (goal 1)"
    )


if __name__ == "__main__":
    main()
