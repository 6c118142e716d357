"""The list that ``await_all`` returns: an ordinary one, which a notebook shows as a table."""

from __future__ import annotations

from typing import TypeVar

from hevo_edge._jobs.handle import row_of
from hevo_edge._text import html
from hevo_edge._text.mime_bundle import HasMimeBundle
from hevo_edge.errors import HevoError
from hevo_edge.job import Job

ItemT = TypeVar("ItemT", bound=Job | HevoError)


class JobList(list[ItemT], HasMimeBundle):
    """Jobs, and errors in the places of those that did not succeed."""

    def _plain(self) -> str:
        shown = ",\n ".join(map(repr, self[: html.MAX_ROWS]))
        more = f",\n … {len(self) - html.MAX_ROWS:,} more" if len(self) > html.MAX_ROWS else ""
        return f"[{shown}{more}]"

    def _html(self) -> str:
        return html.table(map(_row, self), len(self))


def _row(result: Job | HevoError) -> dict[str, object]:
    if isinstance(result, Job):
        return row_of(result)
    of_job = {} if result.job is None else row_of(result.job)
    return {**of_job, "Error": f"{type(result).__name__}: {result}"}
