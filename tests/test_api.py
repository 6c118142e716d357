"""All 26 endpoints of the public reference, as data."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hevo_edge import Dialect, api, errors
from hevo_edge.api import Request
from hevo_edge.emulator.routes import ROUTES

PIPELINE = "/api/v1/pipelines/12"
JOB = PIPELINE + "/jobs/j%3A1"
EVERYTHING: list[tuple[Request[Any], str, str, object]] = [
    (api.list_source_connectors(), "GET", "/api/v1/metadata/sources/connectors?limit=100", None),
    (
        api.list_destination_connectors(cursor="a&b"),
        "GET",
        "/api/v1/metadata/destinations/connectors?limit=100&cursor=a%26b",
        None,
    ),
    (api.list_destinations(limit=5), "GET", "/api/v1/destinations?limit=5", None),
    (api.get_destination(4), "GET", "/api/v1/destinations/4", None),
    (api.create_destination({"a": 1}), "POST", "/api/v1/destinations", {"a": 1}),
    (api.update_destination(4, {"a": 1}), "PATCH", "/api/v1/destinations/4", {"a": 1}),
    (api.delete_destination(4), "DELETE", "/api/v1/destinations/4", None),
    (api.list_pipelines(), "GET", "/api/v1/pipelines?limit=100", None),
    (api.get_pipeline(12), "GET", PIPELINE, None),
    (api.create_pipeline({"a": 1}), "POST", "/api/v1/pipelines", {"a": 1}),
    (
        api.disable_pipeline(12),
        "POST",
        PIPELINE + "/actions/disable",
        {"cancel_active_jobs": False},
    ),
    (api.enable_pipeline(12), "POST", PIPELINE + "/actions/enable", None),
    (api.sync_now(12), "POST", PIPELINE + "/actions/sync-now", None),
    (
        api.resync_pipeline(12),
        "POST",
        PIPELINE + "/actions/resync",
        {"resync_mode": "EVOLVE_AND_MERGE"},
    ),
    (api.update_pipeline(12, {"name": "n"}), "PATCH", PIPELINE, {"name": "n"}),
    (api.update_sources(12, {"a": 1}), "PATCH", PIPELINE + "/sources", {"a": 1}),
    (api.delete_pipeline(12), "DELETE", PIPELINE, None),
    (api.list_objects(12), "GET", PIPELINE + "/objects?limit=100", None),
    (api.get_object(12, "o"), "GET", PIPELINE + "/objects/o", None),
    (api.refresh_schema(12), "POST", PIPELINE + "/objects/actions/refresh-schema", None),
    (
        api.resync_objects(12, ["a", "b"]),
        "POST",
        PIPELINE + "/objects/actions/resync",
        {"object_ids": ["a", "b"], "drop_and_load": False},
    ),
    (api.update_objects(12, {"a": 1}), "PATCH", PIPELINE + "/objects", {"a": 1}),
    (api.list_jobs(12), "GET", PIPELINE + "/jobs?limit=100", None),
    (api.get_job(12, "j:1"), "GET", JOB, None),
    (api.list_job_objects(12, "j:1"), "GET", JOB + "/objects?limit=100", None),
    (api.cancel_job(12, "j:1"), "POST", JOB + "/actions/cancel", None),
]


@pytest.mark.parametrize(("request_", "method", "path", "body"), EVERYTHING)
def test_an_endpoint(request_: Request[Any], method: str, path: str, body: object) -> None:
    assert (request_.method, request_.path, request_.body) == (method, path, body)
    assert request_.is_read is (method == "GET")


def test_all_26_are_there_and_the_emulator_plays_each() -> None:
    assert len(EVERYTHING) == 26
    assert [(row[0].name, row[1]) for row in EVERYTHING] == [route[:2] for route in ROUTES]


def test_the_bodies_of_both_generations() -> None:
    old, new = Dialect.DROP_AND_LOAD, Dialect.RESYNC_MODE
    assert api.resync_pipeline(1, dialect=old).body == {"drop_and_load": False}
    assert api.resync_pipeline(1, drop_and_load=True, dialect=old).body == {"drop_and_load": True}
    assert api.resync_pipeline(1, drop_and_load=True, dialect=new).body == {
        "resync_mode": "DROP_AND_LOAD"
    }
    objects = api.resync_objects(1, "users", dialect=old).body
    assert objects == {"objects": ["users"], "drop_and_load": False}


def test_the_reply_of_an_action_may_be_nothing_or_any_json() -> None:
    read = api.sync_now(1).read
    assert read(b"") is None
    assert read(b" \n") is None
    assert read(b"{}") == {}
    assert read(json.dumps({"message": "ok"}).encode()) == {"message": "ok"}


def test_ids_are_checked_and_quoted() -> None:
    assert api.get_job(1, "ä%2F?#").path == "/api/v1/pipelines/1/jobs/%C3%A4%252F%3F%23"
    for wrong in ("..", "a/b", ""):
        with pytest.raises(errors.ConfigurationError):
            api.cancel_job(1, wrong)
    assert api.get_object(1, "a/b c").path == "/api/v1/pipelines/1/objects/a%2Fb%20c"
    for wrong in ("..", " ", "a\nb"):
        with pytest.raises(errors.ConfigurationError):
            api.get_object(1, wrong)
    with pytest.raises(errors.ConfigurationError):
        api.get_destination(0)
