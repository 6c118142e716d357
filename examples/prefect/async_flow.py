"""An async flow: sync what is stale, beside other work, and say what was loaded.

Needs the block ``prod`` of Hevo's credentials; the page docs/prefect.md says how to save one.
"""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta

from prefect import flow
from prefect.logging import get_run_logger

from hevo_edge.integrations.prefect import cancel_jobs
from hevo_edge.integrations.prefect.aio import ensure_fresh

AN_HOUR = timedelta(hours=1).total_seconds()


@flow(on_cancellation=[cancel_jobs])
async def keep_fresh(pipeline_ids: list[int], credentials: str = "prod") -> dict[int, str]:
    """Let each Pipeline have a Job that ended well within the hour; return how it came to it."""
    syncs = (ensure_fresh(credentials, number, AN_HOUR) for number in pipeline_ids)
    # They share one client, so its polls and its calls.
    jobs = await asyncio.gather(*syncs)
    found = {job["pipeline_id"]: job["freshness"] for job in jobs}
    get_run_logger().info("Pipelines: %s", found)
    return found


if __name__ == "__main__":
    asyncio.run(keep_fresh([int(each) for each in sys.argv[1:]]))
