"""Emits an event for each Job that ends, whoever has started it. It needs no deployment.

::

    python -m hevo_edge.integrations.prefect.poller prod 123 124 --cursors hevo-cursors.json
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any

from hevo_edge.errors import ConfigurationError
from hevo_edge.integrations.prefect.credentials import HevoCredentials, loaded
from hevo_edge.orchestration import get_logger, validation

if TYPE_CHECKING:
    from hevo_edge import HevoClient

log: logging.Logger = get_logger("hevo_edge.integrations.prefect")

INTERVAL = 60.0
"""Seconds between two polls of a Pipeline."""


async def emit_job_events(
    credentials: HevoCredentials | str,
    pipeline_ids: Collection[int],
    *,
    interval: float = INTERVAL,
    cursors: str | os.PathLike[str] | None = None,
) -> None:
    """Poll Pipelines without end, and emit ``hevo.job.<status>`` for each Job that has ended.

    Args:
        credentials: The block of credentials, or its name.
        pipeline_ids: The Pipelines.
        interval: Seconds between two polls of a Pipeline.
        cursors: A file that keeps what is known, so that a restart misses no Job; without one, Jobs
            count that end from now on.

    Raises:
        ConfigurationError: for wrong options, and for a file that is none of cursors.
    """
    from hevo_edge.orchestration import (  # noqa: PLC0415 -- aiohttp
        JobCursor,
        JobFeed,
        JobSubscriber,
        TicketFile,
        summary,
    )

    every = validation.seconds(interval, "interval")
    ids = [validation.pipeline_id(each) for each in pipeline_ids]
    credentials = await loaded(credentials)
    file = None if cursors is None else TicketFile(cursors)
    kept = _cursors_in((file and file.load()) or "{}", cursors)
    async with credentials.get_client() as hevo:

        @asynccontextmanager
        async def lease() -> AsyncIterator[HevoClient]:
            yield hevo

        feed = JobFeed(lease, "Prefect's poller")
        subscribers = {}
        for number in ids:
            known = kept.get(str(number))
            cursor = None if known is None else JobCursor.from_dict(known)
            subscribers[number] = JobSubscriber(number, every, cursor)
            feed.subscribe(subscribers[number])
        async with aclosing(feed.updates()) as updates:
            async for update in updates:
                found = subscribers[update.pipeline_id].take(update)
                if found is None:
                    continue
                if found.jobs:
                    await _deliver([summary(job) for job in found.jobs], every)
                kept[str(update.pipeline_id)] = found.cursor.to_dict()
                if file is not None:
                    file.save(json.dumps(kept))


async def _deliver(jobs: Sequence[dict[str, Any]], pause: float) -> None:
    """Emit the events of Jobs, again and again until Prefect has taken them."""
    from hevo_edge.integrations.prefect.events import deliver_jobs_ended  # noqa: PLC0415 -- slow

    while True:
        try:
            return await deliver_jobs_ended(jobs)
        except Exception as error:  # noqa: BLE001 -- of websockets, the network, the handshake
            log.warning(
                "Prefect has not taken the events of %d Jobs, which is tried again in %g s: %s",
                len(jobs),
                pause,
                error,
            )
            await asyncio.sleep(pause)


def _cursors_in(text: str, path: str | os.PathLike[str] | None) -> dict[str, Any]:
    try:
        return dict(json.loads(text))
    except (ValueError, TypeError):
        raise ConfigurationError(
            f"{path} holds no cursors; remove it, and Jobs count that end from now on"
        ) from None


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the poller from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("credentials", help="the name of the block of credentials")
    parser.add_argument("pipeline_ids", nargs="+", type=int, metavar="PIPELINE")
    parser.add_argument("--interval", type=float, default=INTERVAL, help="seconds between polls")
    parser.add_argument("--cursors", metavar="FILE", help="keeps what is known for a restart")
    options = vars(parser.parse_args(arguments))
    try:
        asyncio.run(emit_job_events(**options))
    except ConfigurationError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
