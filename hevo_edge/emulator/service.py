"""The 26 endpoints of the emulated account. They read no clock: each call has its time."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from hevo_edge.emulator.dialect import Dialect
from hevo_edge.emulator.job import EmulatedJob
from hevo_edge.emulator.paging import page_of
from hevo_edge.emulator.pipeline import EmulatedPipeline, Refused
from hevo_edge.enums import PipelineStatus, ResyncMode

IN_PROGRESS_TEXT = "A job is in progress. To sync now you need to cancel the current job"


@dataclass
class Answer:
    """A reply before it is encoded. ``body`` is JSON data, text, or None for no body."""

    status: int = 200
    body: Any = None
    job: EmulatedJob | None = None
    """The Job that the call started, for the journal."""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Call:
    """A request to an endpoint: the parameters of its path and query, its body, and the time."""

    params: Mapping[str, str]
    query: Mapping[str, str]
    body: Any
    now: float


class Problem(Exception):
    """Raised by an endpoint to answer with an error."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.answer: Answer = Answer(status, {"error": code, "message": message})


@dataclass
class Service:
    """An account: its Pipelines and destinations, with one method per endpoint of the API."""

    dialect: Dialect
    seed: int = 0
    pipelines: dict[int, EmulatedPipeline] = field(default_factory=dict)
    destinations: dict[int, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = random.Random(f"{self.seed}:service")  # noqa: S311 -- no secret
        self.destinations.setdefault(
            1, {"id": 1, "name": "Snowflake destination", "type": "SNOWFLAKE", "status": "ACTIVE"}
        )

    def answer(self, endpoint: str, call: Call) -> Answer:
        """Return the answer of ``endpoint``, a name of ``hevo_edge.api``, to a call."""
        handle: Callable[[Call], Answer] = getattr(self, endpoint)
        try:
            return handle(call)
        except Problem as problem:
            return problem.answer
        except Refused as refused:
            return self._refusal(refused.reason, call)

    # -- connectors and destinations --------------------------------------------------------------

    def list_source_connectors(self, call: Call) -> Answer:
        """List the types of sources."""
        capabilities = ["INCREMENTAL", "HISTORICAL"]
        rows = [
            {
                "type": kind,
                "name": kind.title(),
                "category": "DATABASE",
                "capabilities": capabilities,
            }
            for kind in ("MYSQL", "POSTGRESQL", "ORACLE")
        ]
        return self._page(rows, "type", call)

    def list_destination_connectors(self, call: Call) -> Answer:
        """List the types of destinations."""
        rows = [
            {
                "type": kind,
                "name": kind.title(),
                "category": "DATA_WAREHOUSE",
                "capabilities": ["BATCH"],
            }
            for kind in ("SNOWFLAKE", "BIGQUERY", "REDSHIFT")
        ]
        return self._page(rows, "type", call)

    def list_destinations(self, call: Call) -> Answer:
        """List the destinations."""
        return self._page(list(self.destinations.values()), "id", call)

    def get_destination(self, call: Call) -> Answer:
        """Return a destination."""
        return Answer(body=self._destination(call))

    def create_destination(self, call: Call) -> Answer:
        """Create a destination."""
        number = max(self.destinations, default=0) + 1
        self.destinations[number] = {"status": "ACTIVE", **_object(call.body), "id": number}
        return Answer(201, self.destinations[number])

    def update_destination(self, call: Call) -> Answer:
        """Change the given fields of a destination."""
        destination = self._destination(call)
        destination.update(_object(call.body), id=destination["id"])
        return Answer(body=destination)

    def delete_destination(self, call: Call) -> Answer:
        """Delete a destination."""
        del self.destinations[self._destination(call)["id"]]
        return Answer(204)

    # -- pipelines --------------------------------------------------------------------------------

    def list_pipelines(self, call: Call) -> Answer:
        """List the Pipelines."""
        return self._page(
            [self._advanced(p, call).wire(call.now) for p in self.pipelines.values()], "id", call
        )

    def get_pipeline(self, call: Call) -> Answer:
        """Return a Pipeline."""
        return Answer(body=self._pipeline(call).wire(call.now))

    def create_pipeline(self, call: Call) -> Answer:
        """Create a Pipeline; only its name is read."""
        body = _object(call.body)
        number = max(self.pipelines, default=0) + 1
        pipeline = EmulatedPipeline(
            number,
            now=call.now,
            dialect=self.dialect,
            seed=self.seed,
            name=str(body["name"]) if body.get("name") else None,
        )
        self.pipelines[number] = pipeline
        return Answer(201, pipeline.wire(call.now))

    def disable_pipeline(self, call: Call) -> Answer:
        """Disable a Pipeline."""
        cancel = bool(_object(call.body or {}).get("cancel_active_jobs", False))
        self._pipeline(call).disable(call.now, cancel_active_jobs=cancel)
        return self._done("Pipeline disabled", call)

    def enable_pipeline(self, call: Call) -> Answer:
        """Enable a Pipeline."""
        self._pipeline(call).enable()
        return self._done("Pipeline enabled", call)

    def sync_now(self, call: Call) -> Answer:
        """Start a sync."""
        job = self._pipeline(call).sync_now(call.now)
        return self._done("Sync triggered successfully", call, job)

    def resync_pipeline(self, call: Call) -> Answer:
        """Start a resync."""
        drop_and_load = self._drop_and_load(call.body)
        self._pipeline(call).resync(call.now, drop_and_load=drop_and_load)
        return self._done("Resync triggered successfully", call)

    def update_pipeline(self, call: Call) -> Answer:
        """Change the given fields of a Pipeline."""
        pipeline, fields = self._pipeline(call), _object(call.body)
        pipeline.name = str(fields.get("name", pipeline.name))
        pipeline.settings.update({k: v for k, v in fields.items() if k not in {"id", "status"}})
        return Answer(body=pipeline.wire(call.now))

    def update_sources(self, call: Call) -> Answer:
        """Change the given fields of a Pipeline's source."""
        pipeline = self._pipeline(call)
        pipeline.settings["source"] = {**pipeline.wire(call.now)["source"], **_object(call.body)}
        return Answer(body=pipeline.wire(call.now))

    def delete_pipeline(self, call: Call) -> Answer:
        """Delete a Pipeline."""
        del self.pipelines[self._pipeline(call).id]
        return Answer(204)

    # -- objects ----------------------------------------------------------------------------------

    def list_objects(self, call: Call) -> Answer:
        """List the objects of a Pipeline."""
        pipeline = self._pipeline(call)
        rows = [each.wire(object_id, whole=False) for object_id, each in pipeline.objects.items()]
        return self._page(rows, "object_id", call)

    def get_object(self, call: Call) -> Answer:
        """Return an object, by its id or its name."""
        pipeline = self._pipeline(call)
        object_id = _found_object(pipeline, call.params["object_id"])
        return Answer(body=pipeline.objects[object_id].wire(object_id, whole=True))

    def refresh_schema(self, call: Call) -> Answer:
        """Read the source's schema again, at once."""
        self._pipeline(call).refresh_schema(call.now)
        return Answer(body={"status": "success"})

    def resync_objects(self, call: Call) -> Answer:
        """Start a Job for some objects: the only action whose (mock) reply names its Job."""
        pipeline, body = self._pipeline(call), _object(call.body)
        named = [*_list(body, "object_ids"), *_list(body, "objects")]
        if not named:
            raise Problem(400, "BAD_REQUEST", "object_ids must name at least one object")
        object_ids = [_found_object(pipeline, str(each)) for each in named]
        job = pipeline.resync_objects(call.now, object_ids)
        return Answer(body={"status": "success", "job_id": job.job_id}, job=job)

    def update_objects(self, call: Call) -> Answer:
        """Take ``{"objects": [{"object_id": ..., "status": "ACTIVE"}]}``, an invention."""
        pipeline, body = self._pipeline(call), _object(call.body)
        changes = [_object(each) for each in _list(body, "objects")]
        if not all({"object_id", "status"} <= each.keys() for each in changes):
            raise Problem(400, "BAD_REQUEST", "objects must hold object_id and status of each")
        ids = [_found_object(pipeline, str(each["object_id"])) for each in changes]
        for object_id, each in zip(ids, changes, strict=True):
            pipeline.set_object_status(object_id, str(each["status"]).upper())
        return Answer(body={"status": "success"})

    # -- jobs -------------------------------------------------------------------------------------

    def list_jobs(self, call: Call) -> Answer:
        """List the Jobs of a Pipeline."""
        pipeline = self._pipeline(call)
        listed = [job for job in pipeline.jobs if job.visible_from <= call.now]
        order = self.dialect.list_order
        updated = order == "last_updated_first"
        listed.sort(key=lambda job: job.updated_at(call.now) if updated else job.created)
        if order != "oldest_first":
            listed.reverse()  # unlike sort(reverse=True), it also reverses Jobs of one time
        return self._page([job.wire(call.now, self.dialect) for job in listed], "job_id", call)

    def get_job(self, call: Call) -> Answer:
        """Return a Job."""
        return Answer(body=self._job(call)[1].wire(call.now, self.dialect))

    def list_job_objects(self, call: Call) -> Answer:
        """List the objects of a Job."""
        return self._page(self._job(call)[1].wire_objects(call.now), "object_name", call)

    def cancel_job(self, call: Call) -> Answer:
        """Cancel a Job."""
        pipeline, job = self._job(call)
        pipeline.cancel(job, call.now)
        return self._done("Job cancellation requested", call)

    # -- inside -----------------------------------------------------------------------------------

    def _page(self, rows: Sequence[dict[str, Any]], key: str, call: Call) -> Answer:
        """Return the page that a query asks for."""
        try:
            cursor, empty = self.dialect.cursor, self.dialect.empty_list
            return Answer(body=page_of(rows, key, call.query, by=cursor, empty=empty))
        except ValueError as error:
            raise Problem(400, "BAD_REQUEST", str(error)) from None

    def _pipeline(self, call: Call) -> EmulatedPipeline:
        text = call.params["pipeline_id"]
        number = number_in(text)
        pipeline = None if number is None else self.pipelines.get(number)
        if pipeline is None:
            raise Problem(404, "PIPELINE_NOT_FOUND", f"Pipeline with ID {text} does not exist")
        return self._advanced(pipeline, call)

    @staticmethod
    def _advanced(pipeline: EmulatedPipeline, call: Call) -> EmulatedPipeline:
        pipeline.advance(call.now)
        return pipeline

    def _job(self, call: Call) -> tuple[EmulatedPipeline, EmulatedJob]:
        pipeline, job_id = self._pipeline(call), call.params["job_id"]
        for job in pipeline.jobs:
            if job.job_id == job_id and job.visible_from <= call.now:
                return pipeline, job
        raise Problem(404, "JOB_NOT_FOUND", f"Job {job_id} does not exist")

    def _destination(self, call: Call) -> dict[str, Any]:
        text = call.params["destination_id"]
        number = number_in(text)
        destination = None if number is None else self.destinations.get(number)
        if destination is None:
            raise Problem(404, "DESTINATION_NOT_FOUND", f"Destination {text} does not exist")
        return destination

    def _drop_and_load(self, body: Any) -> bool:
        body = {} if body is None else _object(body)
        form = self.dialect.resync_body
        if "resync_mode" in body:
            if form != "drop_and_load" and body["resync_mode"] in list(ResyncMode):
                return bool(body["resync_mode"] == ResyncMode.DROP_AND_LOAD)
        elif form != "resync_mode" and isinstance(body.get("drop_and_load", False), bool):
            return bool(body.get("drop_and_load", False))
        raise Problem(400, "BAD_REQUEST", f"the body of a resync must hold {form}")

    def _done(self, message: str, call: Call, job: EmulatedJob | None = None) -> Answer:
        if self.dialect.action_reply == "204":
            return Answer(204, job=job)
        if self.dialect.action_reply == "empty":
            return Answer(200, {}, job=job)
        body = {"message": message, "pipeline_id": int(call.params["pipeline_id"])}
        return Answer(200, body, job=job)

    def _refusal(self, reason: str, call: Call) -> Answer:
        pipeline_id = call.params["pipeline_id"]
        if reason == "job_in_progress":
            if self.dialect.in_progress == "500":
                return Answer(500, IN_PROGRESS_TEXT)
            message = "A job is already in progress for this pipeline"
            return Answer(409, {"error": "Conflict", "message": message})
        if reason == "object":
            return Problem(400, "OBJECT_NOT_ACTIVE", "An object is not active").answer
        if reason == "job_over":
            return Problem(400, "JOB_NOT_ACTIVE", "The job has already ended").answer
        status = self.pipelines[int(pipeline_id)].status
        message = f"Pipeline {pipeline_id} is {status}, not {PipelineStatus.INITIALIZED}"
        return Problem(400, "PIPELINE_NOT_ACTIVE", message).answer


def number_in(text: str) -> int | None:
    """Return the number in a part of a path; None where it is not a number."""
    return int(text) if text.isascii() and text.isdigit() else None


def _found_object(pipeline: EmulatedPipeline, named: str) -> str:
    object_id = pipeline.objects.find(named)
    if object_id is None:
        raise Problem(404, "OBJECT_NOT_FOUND", f"Object {named} does not exist")
    return object_id


def _object(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise Problem(400, "BAD_REQUEST", "the body must be a JSON object")
    return body


def _list(body: dict[str, Any], name: str) -> list[Any]:
    value = body.get(name, [])
    if not isinstance(value, list):
        raise Problem(400, "BAD_REQUEST", f"{name} must be a list")
    return value
