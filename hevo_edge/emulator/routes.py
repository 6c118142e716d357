"""The paths of the API, and the endpoint that answers each."""

from __future__ import annotations

from fnmatch import fnmatchcase

_V1 = "/api/v1"
_PIPELINE = _V1 + "/pipelines/{pipeline_id}"
_OBJECTS = _PIPELINE + "/objects"
_JOBS = _PIPELINE + "/jobs"
ROUTES: tuple[tuple[str, str, str], ...] = (
    ("list_source_connectors", "GET", _V1 + "/metadata/sources/connectors"),
    ("list_destination_connectors", "GET", _V1 + "/metadata/destinations/connectors"),
    ("list_destinations", "GET", _V1 + "/destinations"),
    ("get_destination", "GET", _V1 + "/destinations/{destination_id}"),
    ("create_destination", "POST", _V1 + "/destinations"),
    ("update_destination", "PATCH", _V1 + "/destinations/{destination_id}"),
    ("delete_destination", "DELETE", _V1 + "/destinations/{destination_id}"),
    ("list_pipelines", "GET", _V1 + "/pipelines"),
    ("get_pipeline", "GET", _PIPELINE),
    ("create_pipeline", "POST", _V1 + "/pipelines"),
    ("disable_pipeline", "POST", _PIPELINE + "/actions/disable"),
    ("enable_pipeline", "POST", _PIPELINE + "/actions/enable"),
    ("sync_now", "POST", _PIPELINE + "/actions/sync-now"),
    ("resync_pipeline", "POST", _PIPELINE + "/actions/resync"),
    ("update_pipeline", "PATCH", _PIPELINE),
    ("update_sources", "PATCH", _PIPELINE + "/sources"),
    ("delete_pipeline", "DELETE", _PIPELINE),
    ("list_objects", "GET", _OBJECTS),
    ("get_object", "GET", _OBJECTS + "/{object_id}"),
    ("refresh_schema", "POST", _OBJECTS + "/actions/refresh-schema"),
    ("resync_objects", "POST", _OBJECTS + "/actions/resync"),
    ("update_objects", "PATCH", _OBJECTS),
    ("list_jobs", "GET", _JOBS),
    ("get_job", "GET", _JOBS + "/{job_id}"),
    ("list_job_objects", "GET", _JOBS + "/{job_id}/objects"),
    ("cancel_job", "POST", _JOBS + "/{job_id}/actions/cancel"),
)
UNKNOWN = "unknown"
"""The endpoint of a path that the API does not have."""

ENDPOINTS = (*(endpoint for endpoint, _, _ in ROUTES), UNKNOWN)


def check_endpoint(pattern: str) -> None:
    """Raise ValueError when a name, or a pattern such as ``"*_now"``, matches no endpoint."""
    if not any(fnmatchcase(endpoint, pattern) for endpoint in ENDPOINTS):
        raise ValueError(f"no endpoint is named {pattern!r}: {', '.join(ENDPOINTS)}")
