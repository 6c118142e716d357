"""Where a step keeps the ticket of its trigger: in the event log of its run."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster._core.events import EngineEventData

from hevo_edge.orchestration import RunSpec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TICKET = "hevo_edge/ticket"
REQUEST = "hevo_edge/request"
FROM_FAILURE = ("dagster/is_resume_retry", "dagster/is_asset_resume_retry")
"""The tags of a run that goes on with what another one has left."""
MAX_ANCESTORS = 64


class TicketLog:
    """A ``TicketStore`` of engine events: each retry of the step finds them, in its own process.

    So does a re-execution from failure, in its parents' logs. "Re-execute all" asks for a new run.

    Args:
        context: The step's context.
        spec: What the step asks for: two Pipelines in one step keep two tickets.
        url: The Pipeline's page.
    """

    def __init__(
        self,
        context: dg.OpExecutionContext | dg.AssetExecutionContext,
        spec: RunSpec,
        url: str,
    ) -> None:
        self._instance = context.instance
        self._run = context.run
        self._step_key = context.get_step_execution_context().step.key
        self._request = " ".join(str(value) for value in spec.request().values())
        self._what = f"{spec.action} of Pipeline {spec.pipeline_id}"
        self._url = url

    def load(self) -> str | None:
        """Return the text that was saved last, by this run or by one that it goes on with."""
        run: dg.DagsterRun | None = self._run
        for _ in range(MAX_ANCESTORS):
            if run is None:
                return None
            for step_key, metadata in logged_tickets(self._instance, run.run_id):
                if step_key == self._step_key and _text(metadata, REQUEST) == self._request:
                    return _text(metadata, TICKET)
            if run.parent_run_id is None or not any(run.tags.get(tag) for tag in FROM_FAILURE):
                return None
            run = self._instance.get_run_by_id(run.parent_run_id)
        return None

    def save(self, text: str) -> None:
        """Log a text; the newest counts."""
        self._instance.report_engine_event(
            f"hevo_edge keeps the ticket of {self._what}: {_ticket_of(text)['state']}",
            self._run,
            EngineEventData(
                metadata={
                    TICKET: dg.MetadataValue.text(text),
                    REQUEST: dg.MetadataValue.text(self._request),
                    "Pipeline in Hevo": dg.MetadataValue.url(self._url),
                }
            ),
            step_key=self._step_key,
        )

    def delete(self) -> None:
        """Leave it: it goes with the run. Of a Job that did not end well comes a new run anyway,
        and a step that fails after its Job has ended well takes that Job when it is retried.
        """


def logged_tickets(
    instance: dg.DagsterInstance, run_id: str
) -> Iterator[tuple[str | None, Mapping[str, Any]]]:
    """Yield the step's key and the metadata of each ticket in a run's log, newest first."""
    events = instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
    for entry in reversed(list(events)):
        data = None if entry.dagster_event is None else entry.dagster_event.event_specific_data
        if isinstance(data, EngineEventData) and TICKET in data.metadata:
            yield entry.step_key, data.metadata


def jobs_of_run(instance: dg.DagsterInstance, run_id: str) -> set[str]:
    """Return the ids of the Jobs that steps of a run have started or joined, as far as known."""
    found = set()
    for _, metadata in logged_tickets(instance, run_id):
        with suppress(ValueError, LookupError, TypeError):
            found.add(_ticket_of(_text(metadata, TICKET))["job_id"])
    return found - {None}


def _ticket_of(text: str | None) -> Any:
    return json.loads(text or "")["ticket"]


def _text(metadata: Mapping[str, Any], name: str) -> str | None:
    value = metadata.get(name)
    return value.value if isinstance(value, dg.TextMetadataValue) else None
