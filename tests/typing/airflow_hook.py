"""What type checkers see of the Airflow hook's methods; checked by ``nox -s types``, never run."""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from typing import Any

from typing_extensions import assert_type

from hevo_edge.integrations.airflow import HevoHook
from hevo_edge.integrations.airflow.hooks import HevoPipelineHook, JobCompletionStatus, Record


def synchronous_methods_are_typed(hook: HevoHook) -> None:
    assert_type(hook.get_pipeline_sync(1), Record | None)
    assert_type(hook.get_pipeline(1), Record | None)
    assert_type(hook.trigger_pipeline_sync(1, ensure_new_job=False), Record)
    assert_type(hook.trigger_pipeline_sync_sync(1)["job_id"], Any)
    assert_type(hook.get_job_completion_status_sync(1, "a"), JobCompletionStatus)
    assert_type(hook.failed_pipelines_sync("2026-01-01T00:00Z"), list[Record])
    hook.enable_pipeline_sync("1")  # type: ignore[arg-type]
    hook.cancel_job_sync(1)  # type: ignore[call-arg]
    hook.trigger_pipeline_sync(1, no=True)  # type: ignore[call-arg]
    hook.nothing_sync(1)  # type: ignore[attr-defined]


async def so_are_asynchronous_ones(hook: HevoPipelineHook) -> None:
    assert_type(await hook.get_pipeline_async(1), Record | None)
    assert_type(await hook.cancel_job_async(1, "a"), Record)
