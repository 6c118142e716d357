"""The flow: a whole sync, to be deployed or called by other flows."""

from __future__ import annotations

from typing import Any, cast

from prefect import flow

from hevo_edge.integrations.prefect.cancellation import cancel_jobs
from hevo_edge.integrations.prefect.operations import Credentials
from hevo_edge.integrations.prefect.tasks import sync_and_wait


@flow(on_cancellation=[cancel_jobs])
def sync_pipeline(
    credentials: Credentials,
    pipeline_id: int,
    *,
    action: str = "SYNC_NOW",
    drop_and_load: bool = False,
    if_running: str | None = None,
    fresh_within: float | None = None,
    poll_interval: float | str = 15.0,
    accept_completed_with_failures: bool = False,
    timeout: float | None = None,
) -> dict[str, Any]:
    """Start exactly one run of a Pipeline of Hevo, and await its Job.

    Args:
        credentials: The block of credentials, or its name.
        pipeline_id: The Pipeline.
        action: SYNC_NOW, or RESYNC to restart the historical load.
        drop_and_load: With RESYNC, drop and recreate the Destination tables.
        if_running: When a Job is running: fail, join, replace or wait; None for fail, and with
            fresh_within for join.
        fresh_within: Seconds: take the last Job that ended well within them, start one only else.
        poll_interval: Seconds between polls, or auto, or eager.
        accept_completed_with_failures: Take COMPLETED_WITH_FAILURES for success.
        timeout: Seconds for all of it.

    Returns:
        The Job as plain data. The flow run ends in the state of the task.
    """
    options: dict[str, Any] = {
        "action": action,
        "drop_and_load": drop_and_load,
        "if_running": if_running,
        "fresh_within": fresh_within,
        "poll_interval": poll_interval,
        "accept_completed_with_failures": accept_completed_with_failures,
        "timeout": timeout,
    }
    state = sync_and_wait(credentials, pipeline_id, **options, return_state=True)
    # Without the task run's ids it is the flow run's own, and keeps its name and message.
    own = type(state)(type=state.type, name=state.name, message=state.message, data=state.data)
    return cast("dict[str, Any]", own)
