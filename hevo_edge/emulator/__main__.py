"""``python -m hevo_edge.emulator``: the emulator on the command line."""

from __future__ import annotations

import argparse
import asyncio
import errno
import shlex
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from math import inf
from typing import NoReturn, TypeVar

from hevo_edge.emulator.dialect import DIALECTS
from hevo_edge.emulator.journal import RecordedCall
from hevo_edge.emulator.server import HevoEmulator
from hevo_edge.enums import JobStatus

Number = TypeVar("Number", int, float)

_MAX_PORT = 65535
_FAILED_AGO = 1800.0
"""Seconds since a failed Job was created."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Say in one line what is wrong, and exit."""
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def parser(prog: str = "python -m hevo_edge.emulator") -> Parser:
    """Return the parser of the command line of this name."""
    port = _number(int, "from 0 to 65535", lambda port: 0 <= port <= _MAX_PORT)
    count = _number(int, "at least 0", lambda count: count >= 0)
    seconds = _number(float, "at least 0", lambda seconds: 0 <= seconds < inf)
    positive = _number(float, "more than 0", lambda value: 0 < value < inf)
    options = Parser(
        prog=prog,
        description="Emulate the Hevo Edge API on this machine until Ctrl-C.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = options.add_argument
    add("--host", default="127.0.0.1", help="where to listen")
    add("--port", type=port, default=8787, help="0 takes a free one")
    add("--pipelines", type=_ids, default="123", help="ids and ranges of ids, such as 7,100-150")
    add("--dialect", choices=sorted(DIALECTS), default="newest", help="the generation of the API")
    add("--speed", type=positive, default=1.0, help="emulator seconds per second")
    add("--seed", type=int, default=0, help="the same seed gives the same job ids and lags")
    add(
        "--rate-limit",
        type=count,
        default=100,
        help="calls in any 60 emulator seconds; 0 for no limit",
    )
    add("--every-minutes", type=positive, help="the Pipelines' schedule; else they run on demand")
    add("--history", type=count, default=0, help="the Jobs that each has had, one an hour")
    add("--failed", type=_ids, default=[], help="Pipelines whose last Job has failed")
    add("--fail", type=_ids, default=[], help="Pipelines whose next Job will fail")
    add("--duration", type=seconds, default=60.0, help="how many seconds a Job runs")
    add("--journal-limit", type=count, default=10_000, help="the latest requests to keep")
    add("--job-limit", type=count, default=1000, help="the latest Jobs of a Pipeline to keep")
    add("--api-key", default="emulator-key", help="the key it accepts")
    add("--api-secret", default="emulator-secret", help="the secret it accepts")
    return options


def emulator_of(options: argparse.Namespace) -> HevoEmulator:
    """Return the emulator that the options describe, not yet listening."""
    emulator = HevoEmulator(
        host=options.host,
        port=options.port,
        dialect=options.dialect,
        speed=options.speed,
        seed=options.seed,
        rate_limit=options.rate_limit or None,
        journal_limit=options.journal_limit,
        api_key=options.api_key,
        api_secret=options.api_secret,
        on_request=_print_request,
    )
    for pipeline_id in sorted({*options.pipelines, *options.failed, *options.fail}):
        pipeline = emulator.add_pipeline(
            pipeline_id,
            duration=options.duration,
            every_minutes=options.every_minutes,
            job_limit=options.job_limit,
            history=options.history,
        )
        if pipeline_id in options.failed:
            pipeline.add_history(created=emulator.now - _FAILED_AGO, status=JobStatus.FAILED)
        if pipeline_id in options.fail:
            pipeline.plan(outcome=JobStatus.FAILED)
    return emulator


async def serve(emulator: HevoEmulator) -> None:
    """Print its address, then serve until SIGINT or SIGTERM."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with suppress(NotImplementedError):  # on Windows Ctrl-C arrives as KeyboardInterrupt
            loop.add_signal_handler(number, stopped.set)
    async with emulator:
        _print_welcome(emulator)
        await stopped.wait()


def main(arguments: Sequence[str] | None = None, **name: str) -> int:
    """Run the command, of another name perhaps (``prog``); return its exit code."""
    command = parser(**name)
    options = command.parse_args(arguments)
    try:
        asyncio.run(serve(emulator_of(options)))
    except OSError as error:
        why, hint = error.strerror or error, ""
        if error.errno == errno.EADDRINUSE:
            why, hint = "address already in use", "; --port 0 takes a free one"
        where = f"{options.host}:{options.port}"
        command.exit(2, f"{command.prog}: cannot listen on {where}: {why}{hint}\n")
    except KeyboardInterrupt:
        pass
    return 0


def _print_welcome(emulator: HevoEmulator) -> None:
    _print(f"Hevo Edge emulator at {emulator.base_url}, Ctrl-C stops it. In your shell:")
    for name, value in emulator.environment.items():
        _print(f"export {name}={shlex.quote(value)}")
    _print("unset HEVO_REGION")


def _print_request(call: RecordedCall) -> None:
    at = datetime.fromtimestamp(call.at, timezone.utc)
    status = "dropped" if call.status is None else str(call.status)
    path = ascii(call.path)[1:-1]
    _print(f"{at:%H:%M:%S}", call.method, path, status, *call.faults)


def _print(*words: str) -> None:
    with suppress(OSError, ValueError):  # nobody reads any more: what is served goes on
        print(*words, flush=True)


def _number(
    kind: Callable[[str], Number], rule: str, is_valid: Callable[[Number], bool]
) -> Callable[[str], Number]:
    def number(text: str) -> Number:  # argparse names the type so in its errors
        value = kind(text)
        if not is_valid(value):
            raise argparse.ArgumentTypeError(f"{text} is not {rule}")
        return value

    return number


def _ids(text: str) -> list[int]:
    ids: set[int] = set()
    try:
        for part in text.split(","):
            first, _, last = part.partition("-")
            ids.update(range(int(first), int(last or first) + 1))
    except ValueError:
        ids.clear()
    if not ids or min(ids) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of ids such as 123 or 7,100-150")
    return sorted(ids)


if __name__ == "__main__":
    raise SystemExit(main())
