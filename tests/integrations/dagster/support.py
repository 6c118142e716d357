"""Runs of assets in a Dagster of the test's own, and what came of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from hevo_edge.emulator import HevoEmulator
from hevo_edge.emulator.job import EmulatedJob
from hevo_edge.integrations.dagster import HevoResource, build_hevo_assets_definitions

OFTEN: dict[str, Any] = {"poll_interval": 0.05}


def resource_of(emu: HevoEmulator, **options: Any) -> HevoResource:
    """Return the emulator's account; tests look more often than a hundred times a minute."""
    keys = {"api_key": emu.api_key, "api_secret": emu.api_secret, "base_url": emu.base_url}
    return HevoResource(**{**keys, "rate_limit": None, **options})


def assets_of(hevo: HevoResource, pipeline_id: int = 7, **options: Any) -> dg.AssetsDefinition:
    """Return the assets of a Pipeline, whose Job is polled often."""
    (assets,) = build_hevo_assets_definitions(
        hevo, where=lambda pipeline: pipeline.id == pipeline_id, **{**OFTEN, **options}
    )
    return assets


def materialize(
    assets: dg.AssetsDefinition | Sequence[dg.AssetsDefinition],
    hevo: HevoResource,
    instance: dg.DagsterInstance,
    **options: Any,
) -> dg.ExecuteInProcessResult:
    """Materialize assets in this process; what fails is in the result."""
    several = [assets] if isinstance(assets, dg.AssetsDefinition) else assets
    return dg.materialize(
        several, resources={"hevo": hevo}, instance=instance, raise_on_error=False, **options
    )


def materialized(result: dg.ExecuteInProcessResult) -> dict[str, Mapping[str, Any]]:
    """Return the metadata of each table that was materialized, by its name."""
    events = result.get_asset_materialization_events()
    return {
        event.materialization.asset_key.path[-1]: {
            name: value.value for name, value in event.materialization.metadata.items()
        }
        for event in events
    }


def checked(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    """Return the result of each table's check, by the table's name."""
    return {each.asset_key.path[-1]: each.passed for each in result.get_asset_check_evaluations()}


def failure_of(result: dg.ExecuteInProcessResult) -> str:
    """Return what the run's one failed step says."""
    (event,) = [each for each in result.all_events if each.is_step_failure]
    error = event.step_failure_data.error
    assert error is not None
    return str(error.cause.message if error.cause else error.message)


def logged(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    """Return what steps have logged, by their own hand."""
    return list(_messages(instance, run_id))


def _messages(instance: dg.DagsterInstance, run_id: str) -> Iterator[str]:
    for entry in instance.all_logs(run_id):
        if entry.dagster_event is None:
            yield entry.user_message


def last_job(emu: HevoEmulator, pipeline_id: int = 123) -> EmulatedJob:
    """Return the newest Job of a Pipeline."""
    return emu.pipeline(pipeline_id).jobs[-1]


def starts(emu: HevoEmulator) -> int:
    """Return how many runs were started by API."""
    actions = emu.requests.of("sync_now", "resync_pipeline", "resync_objects")
    return sum(call.took_effect for call in actions)
