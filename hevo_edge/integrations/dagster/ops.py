"""Ops for people without assets, configured in the run."""
# Dagster reads an op's annotations as they stand: no `from __future__ import annotations`.

from typing import Any

import dagster as dg
from pydantic import Field

from hevo_edge.integrations.dagster.resource import HevoResource

_BEFORE = {"start_after": dg.In(dg.Nothing)}


class HevoRunConfig(dg.Config):
    """What one run of a Pipeline is to be; ``RunKeywords`` says what the options mean."""

    pipeline_id: int = Field(description="The Pipeline.")
    if_running: str | None = Field(
        default=None, description="fail, join, replace or wait, when a Job is running."
    )
    # Dagster's configs have no union of a number and a word.
    poll_interval: Any = Field(default=15.0, description="Seconds between polls, auto or eager.")
    accept_completed_with_failures: bool = Field(
        default=False, description="Take COMPLETED_WITH_FAILURES for success."
    )
    timeout: float | None = Field(default=None, description="Seconds for the whole step.")
    on_timeout: str = Field(default="raise", description="raise, or cancel the Job as well.")
    cancel_on_termination: str = Field(
        default="user", description="user, always or never: when to cancel the Job in Hevo."
    )


class HevoSyncConfig(HevoRunConfig):
    """What one sync of a Pipeline is to be."""

    fresh_within: float | None = Field(
        default=None,
        description="Seconds: take a Job that ended well within them, or join the running one.",
    )


class HevoResyncConfig(HevoRunConfig):
    """What one resync of a Pipeline is to be."""

    drop_and_load: bool = Field(
        default=False, description="Drop and recreate the Destination tables."
    )


@dg.op(ins=_BEFORE, tags={"dagster/kind": "hevo"})
def hevo_sync_op(
    context: dg.OpExecutionContext, config: HevoSyncConfig, hevo: HevoResource
) -> dict[str, Any]:
    """Sync a Pipeline once, see it through, and return what is known of its Job."""
    return _run(context, config, hevo, "SYNC_NOW")


@dg.op(ins=_BEFORE, tags={"dagster/kind": "hevo"})
def hevo_resync_op(
    context: dg.OpExecutionContext, config: HevoResyncConfig, hevo: HevoResource
) -> dict[str, Any]:
    """Resync a Pipeline once, see it through, and return what is known of its Job."""
    return _run(context, config, hevo, "RESYNC")


@dg.job
def hevo_sync_job() -> None:
    """Sync a Pipeline: a job of ``hevo_sync_op`` alone, with the resource ``hevo``."""
    hevo_sync_op()


def _run(
    context: dg.OpExecutionContext, config: HevoRunConfig, hevo: HevoResource, action: str
) -> dict[str, Any]:
    from hevo_edge.integrations.dagster.metadata import metadata_of  # noqa: PLC0415 -- it is heavy

    options = {name: value for name, value in config.model_dump().items() if value is not None}
    pipeline_id = options.pop("pipeline_id")
    outcome = hevo.run(context, pipeline_id, action=action, **options)
    context.add_output_metadata(metadata_of(outcome.job, None))
    return dict(outcome.job or {})
