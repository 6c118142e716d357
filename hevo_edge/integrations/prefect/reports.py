"""What Prefect shows of a Job: artifacts while it runs and at its end, assets and an event."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from prefect.artifacts import (
    acreate_link_artifact,
    acreate_markdown_artifact,
    acreate_progress_artifact,
    aupdate_progress_artifact,
)

from hevo_edge.integrations.prefect import events
from hevo_edge.integrations.prefect.run_log import run_logger
from hevo_edge.orchestration import Lineage, Outcome, read_lineage, summary

if TYPE_CHECKING:
    from collections.abc import Awaitable
    from uuid import UUID

    from hevo_edge import HevoClient, Job, Pipeline
    from hevo_edge.models import JobData

TIMEOUT = 5.0
"""Seconds for each report: the Job does not wait for what is only shown."""
ASSETS_TIMEOUT = 20.0
"""Those for the events of assets, to which Automations may react: the tables may have to be read
first, when the call budget allows it."""
_ROWS = {
    "Status": "status",
    "Type": "type",
    "Events ingested": "events_ingested",
    "Events loaded": "events_loaded",
    "Events failed": "events_failed",
    "Objects done": "objects_success",
    "Objects skipped": "objects_skipped",
    "Objects failed": "objects_failed",
    "Certainty": "certainty",
}


class Report:
    """Tells Prefect of one Job. Nothing that fails here ends the wait for it.

    Args:
        hevo: A client.
        pipeline: The Pipeline.
        shows: Whether to make artifacts and asset events, beside the event of the Job's end.
    """

    def __init__(self, hevo: HevoClient, pipeline: Pipeline, *, shows: bool) -> None:
        self._hevo = hevo
        self._id = pipeline.id
        self._url = pipeline.url
        self._shows = shows
        self._progress: UUID | None = None
        self._lineage: Lineage | None = None
        self._has_read = False

    async def update(self, job: Job[JobData]) -> None:
        """Show how far the Job is."""
        if not self._shows:
            return
        await self._try("progress", self._show_progress(_percent(summary(job))))
        if not self._has_read:  # while the Job runs, it holds up nobody
            self._has_read = True
            with suppress(Exception):
                await asyncio.wait_for(self._read_lineage(), TIMEOUT)

    async def finish(self, outcome: Outcome) -> None:
        """Show how the Job has ended, and tell who listens."""
        job = outcome.job
        if job is None or not outcome.has_ended:
            return
        if self._shows:
            done = 100.0 if outcome.kind == "success" else _percent(job)
            await self._try("progress", self._show_progress(done))
            await self._try("summary", self._show_summary(outcome, job))
            await self._try("link", self._show_link())
            if outcome.kind == "success":
                await self._try("assets", self._tell_assets(job), ASSETS_TIMEOUT)
        events.emit_job_ended(job)

    async def _show_progress(self, percent: float) -> None:
        if self._progress is None:
            self._progress = await acreate_progress_artifact(
                progress=percent,
                key=f"hevo-pipeline-{self._id}-progress",
                description=f"Objects of Pipeline {self._id} that are done",
            )
        else:
            await aupdate_progress_artifact(self._progress, progress=percent)

    async def _show_summary(self, outcome: Outcome, job: dict[str, Any]) -> None:
        # A Job that has ended has a status, so there is a first row.
        rows = [
            f"| {name} | {_cell(job[key])} |"
            for name, key in _ROWS.items()
            if job.get(key) is not None
        ]
        if job.get("duration_ms") is not None:
            rows.append(f"| Duration | {job['duration_ms'] / 1000:g} s |")
        lines = [rows[0], "|---|---|", *rows[1:], "", _cell(outcome.message), ""]
        await acreate_markdown_artifact(
            "\n".join([*lines, f"[Pipeline {self._id} in Hevo]({self._url})"]),
            key=f"hevo-pipeline-{self._id}",
            description=f"Job {job['ref']}",
        )

    async def _show_link(self) -> None:
        await acreate_link_artifact(
            self._url,
            link_text=f"Pipeline {self._id} in Hevo",
            key=f"hevo-pipeline-{self._id}-link",
            description=f"The page of Pipeline {self._id} in Hevo",
        )

    async def _tell_assets(self, job: dict[str, Any]) -> None:
        events.emit_assets(self._lineage or await self._read_lineage(), job, self._url)

    async def _read_lineage(self) -> Lineage:
        self._lineage = await read_lineage(self._hevo, self._id)
        return self._lineage

    async def _try(self, what: str, report: Awaitable[None], within: float = TIMEOUT) -> None:
        try:
            await asyncio.wait_for(report, within)
        except Exception as error:  # noqa: BLE001 -- it is only shown
            run_logger().warning(
                "Prefect was not told of the %s of the Job of Pipeline %s: %s",
                what,
                self._id,
                str(error) or type(error).__name__,
            )


def _percent(job: dict[str, Any]) -> float:
    """Return how many of a Job's objects are done, in percent; 0 when nobody knows."""
    done = sum(job.get(f"objects_{fate}") or 0 for fate in ("success", "skipped"))
    total = done + sum(job.get(f"objects_{fate}") or 0 for fate in ("failed", "queued"))
    return round(100.0 * done / total, 1) if total else 0.0


def _cell(value: Any) -> str:
    """Return a value for a table of Markdown."""
    text = f"{value:,}" if isinstance(value, int) else str(value)
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")
