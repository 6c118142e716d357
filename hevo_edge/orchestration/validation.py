"""Checks of an adapter's own parameters: a clear ConfigurationError before any request.

They need the standard library only, so that a DAG file can be checked where it is parsed.
"""

from hevo_edge._common.validation import (
    choice,
    count,
    identifier,
    job_ref,
    one_of,
    optional_seconds,
    parse_bool,
    parse_timestamp,
    parse_word,
    pipeline_id,
    seconds,
    timeout,
)

__all__ = [
    "choice",
    "count",
    "identifier",
    "job_ref",
    "one_of",
    "optional_seconds",
    "parse_bool",
    "parse_timestamp",
    "parse_word",
    "pipeline_id",
    "seconds",
    "timeout",
]
