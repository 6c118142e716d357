"""Where a step keeps the ticket of its trigger: in the event log of its run."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

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
        tags_job: Whether to tag the run with its Job, as the step tells of the Job's tables.
    """

    def __init__(
        self,
        context: dg.OpExecutionContext | dg.AssetExecutionContext,
        spec: RunSpec,
        url: str,
        *,
        tags_job: bool = False,
    ) -> None:
        self._tags_job = tags_job
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
            for found in logged_tickets(self._instance, run.run_id):
                if found.step_key == self._step_key and found.request == self._request:
                    return found.text
            if run.parent_run_id is None or not any(run.tags.get(tag) for tag in FROM_FAILURE):
                return None
            run = self._instance.get_run_by_id(run.parent_run_id)
        return None

    def save(self, text: str) -> None:
        """Log a text; the newest counts."""
        ticket = _ticket_of(text)
        if self._tags_job and ticket["job_id"] is not None:
            tags = {_tag(ticket["job_id"]): str(ticket["pipeline_id"])}
            self._instance.add_run_tags(self._run.run_id, tags)
        self._instance.report_engine_event(
            f"hevo_edge keeps the ticket of {self._what}: {ticket['state']}",
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


class Logged(NamedTuple):
    """A ticket in the log of a run.

    Args:
        step_key: The step that has logged it.
        request: What the step has asked for.
        text: The ticket.
        at: When, in seconds since 1970.
    """

    step_key: str | None
    request: str | None
    text: str | None
    at: float


def logged_tickets(instance: dg.DagsterInstance, run_id: str) -> Iterator[Logged]:
    """Yield the tickets in a run's log, newest first."""
    events = instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
    for entry in reversed(list(events)):
        data = None if entry.dagster_event is None else entry.dagster_event.event_specific_data
        if isinstance(data, EngineEventData) and TICKET in data.metadata:
            request, text = (_text(data.metadata, name) for name in (REQUEST, TICKET))
            yield Logged(entry.step_key, request, text, entry.timestamp)


# -- for the sensor -------------------------------------------------------------------------------


def is_told_by_a_run(instance: dg.DagsterInstance, pipeline_id: str, job_id: str) -> bool:
    """Say whether a run of Dagster's has started or joined a Job, to tell of its tables."""
    with_tag = dg.RunsFilter(tags={_tag(job_id): pipeline_id})
    return instance.get_runs_count(with_tag) > 0


def may_find_a_job(
    instance: dg.DagsterInstance, run_id: str, pipeline_id: str, since: float
) -> bool:
    """Say whether a step has sent a POST since a time, and does not know yet of which Job."""
    seen = set()
    for found in logged_tickets(instance, run_id):
        if found.at < since:
            break
        if (place := (found.step_key, found.request)) in seen:
            continue
        seen.add(place)
        with suppress(ValueError, LookupError, TypeError):
            ticket = _ticket_of(found.text)
            is_open = ticket["post"] is not None and ticket["job_id"] is None
            if is_open and str(ticket["pipeline_id"]) == pipeline_id:
                return True
    return False


def _tag(job_id: str) -> str:
    return "hevo_job/" + re.sub(r"[^A-Za-z0-9_.-]", "_", job_id)[:63]


def _ticket_of(text: str | None) -> Any:
    return json.loads(text or "")["ticket"]


def _text(metadata: Mapping[str, Any], name: str) -> str | None:
    value = metadata.get(name)
    return value.value if isinstance(value, dg.TextMetadataValue) else None
