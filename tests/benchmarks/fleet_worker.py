"""A process of the fleet in ``tests.benchmarks.fleet``: awaits Jobs, and writes down each end at once."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from pathlib import Path

from hevo_edge import HevoClient, RateLimit, errors
from hevo_edge._http import redis_link, redis_window


async def await_all(folder: Path, limit: RateLimit, poll_interval: float) -> None:
    (folder / "ready").touch()
    while not (folder / "refs").exists():  # noqa: ASYNC110 -- another process writes it
        await asyncio.sleep(0.1)
    refs = (folder / "refs").read_text().split()
    # One write a line, and nothing between: what a kill leaves is whole lines.
    out = os.open(folder / "ends", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    async with HevoClient.from_env(rate_limit=limit) as hevo:
        ended = hevo.as_completed(refs, on_failure="return", poll_interval=poll_interval)
        async for each in ended:
            job = each.job if isinstance(each, errors.HevoError) else each
            assert job is not None, f"{each}"
            os.write(out, f"{job.ref} {job.status}\n".encode())
    os.close(out)


def main() -> None:
    url, folder, calls, period, patience = sys.argv[1:]
    scale = float(period) / 60
    logging.basicConfig(level="WARNING", format=f"%(asctime)s {os.getpid()} %(message)s")
    # Scaled like the period, which is a minute of Hevo; but not below what a busy machine needs.
    redis_window.LEASE = max(redis_window.LEASE * scale, float(patience))
    redis_link.PATIENCE = float(patience)
    limit = RateLimit(
        int(calls), float(period), margin=0.1 * scale, shared=url, shared_name="fleet"
    )
    asyncio.run(await_all(Path(folder), limit, 15 * scale))


if __name__ == "__main__":
    main()
