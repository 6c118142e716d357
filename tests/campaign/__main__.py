"""``python -m tests.campaign``: run the campaign, or replay one of its trials."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed

from .drawing import KINDS
from .judge import Verdict
from .report import Verdicts, failures, has_breach, table
from .trials import CALLERS, run_block, run_trial

BLOCK = 25
_EVERY = 5.0  # seconds between two lines of progress


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    options = argparse.ArgumentParser(
        prog="python -m tests.campaign",
        description="Trigger under random faults, and judge from the emulator's journal.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = options.add_argument
    add("--trials", type=int, default=1000, help="how many trials of each caller")
    add("--first", type=int, default=0, help="the number of the first trial")
    add("--seed", type=int, default=1, help="the same seed gives the same trials")
    add("--processes", type=int, default=2, help="how many run at a time")
    add("--caller", choices=sorted(CALLERS), help="only this caller; default: all")
    kinds = "; ".join(f"{name}: {meaning}" for name, meaning in KINDS.items())
    add("--kind", choices=sorted(KINDS), default="hostile", help=kinds)
    add("--only", type=int, metavar="NUMBER", help="replay this trial")
    add("--verbose", action="store_true", help="with --only: the scenario and what happened")
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return 1 when hevo_edge has missed a goal."""
    options = parser().parse_args(arguments)
    callers = [options.caller] if options.caller else list(CALLERS)
    if options.only is not None:
        breached = [_replay(options, caller) for caller in callers]
        return int(any(breached))
    numbers = range(options.first, options.first + options.trials)
    verdicts: dict[str, Verdicts] = {caller: {} for caller in callers}
    for caller, number, verdict in _run(options, numbers, callers):
        verdicts[caller][number] = verdict
    # They came in any order; sums of fractions depend on it.
    verdicts = {caller: dict(sorted(verdicts[caller].items())) for caller in callers}
    print(table(verdicts))
    for caller in callers:
        if text := failures(
            f"--seed {options.seed} --kind {options.kind}", caller, verdicts[caller]
        ):
            print(f"\n{text}")
    return int(has_breach(verdicts.get("hevo_edge", {})))


def _run(
    options: argparse.Namespace, numbers: range, callers: list[str]
) -> Iterator[tuple[str, int, Verdict]]:
    """Yield the verdicts as they come, in any order."""
    started = reported = time.monotonic()
    done, total = 0, len(numbers) * len(callers)
    # A forked process would share this one's open files.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.processes, mp_context=context) as pool:
        blocks: dict[Future[list[tuple[int, Verdict]]], str] = {
            pool.submit(run_block, options.seed, list(block), caller, options.kind): caller
            for block in (numbers[at : at + BLOCK] for at in range(0, len(numbers), BLOCK))
            for caller in callers
        }
        for finished in as_completed(blocks):
            for number, verdict in finished.result():
                done += 1
                yield blocks[finished], number, verdict
            if time.monotonic() - reported >= _EVERY:
                reported = time.monotonic()
                elapsed = reported - started
                print(f"{done} of {total} trials in {elapsed:.0f} s", file=sys.stderr, flush=True)


def _replay(options: argparse.Namespace, caller: str) -> bool:
    trial = run_trial(options.seed, options.only, caller, options.kind)
    broken = "".join(f"; {name}: {why}" for name, why in trial.verdict.breaches.items())
    print(trial if options.verbose else f"{caller}: {trial.verdict.ending}{broken}")
    return bool(trial.verdict.breaches) and caller == "hevo_edge"


if __name__ == "__main__":
    raise SystemExit(main())
