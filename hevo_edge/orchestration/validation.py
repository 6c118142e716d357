"""Checks of an adapter's own parameters: a clear ConfigurationError before any request.

They need the standard library only, so that a DAG file can be checked where it is parsed.
"""

from hevo_edge._common.validation import (
    choice,
    count,
    flag,
    identifier,
    job_ref,
    moment,
    one_of,
    optional_seconds,
    pipeline_id,
    seconds,
    timeout,
    word,
)

__all__ = [
    "choice",
    "count",
    "flag",
    "identifier",
    "job_ref",
    "moment",
    "one_of",
    "optional_seconds",
    "pipeline_id",
    "seconds",
    "timeout",
    "word",
]
