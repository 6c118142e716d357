"""Lists that do not end, over HTTP: every method that reads a list ends, with a typed error."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from hevo_edge import HevoClient, errors
from tests.http.servers import JsonServer, client
from tests.http.support import now


class EndlessLists(JsonServer):
    """Every list goes on: its cursors form a cycle, or are ever new, with or without new rows.

    Args:
        kind: Which of these.
        after_posts: From how many POSTs on; before that, there is one page with an old Job.
    """

    def __init__(self, kind: str, after_posts: int = 0) -> None:
        super().__init__(answer=self.page)
        self.pages = 0
        self.kind = kind
        self.after_posts = after_posts

    def page(self, head: bytes) -> dict[str, Any]:
        target = head.split(b" ", 2)[1].decode()
        if re.search(r"/pipelines/1$", target):
            return {"id": 1, "status": "INITIALIZED"}
        if "/actions/" in target:
            return {}
        self.pages += 1
        if self.posts < self.after_posts:
            return {"data": [{"job_id": "old", "status": "COMPLETED"}], "has_more": False}
        number = 0 if self.kind == "same rows" else self.pages
        cursor = self.pages % 3 if self.kind == "cycle" else self.pages
        row = {"id": number, "object_id": f"o-{number}", "object_name": "orders"}
        if "/jobs" in target and "/objects" not in target:
            row = {"job_id": f"j-{number}", "status": "SKIPPED", "created_ts": -number}
        data = [] if self.kind == "no rows" else [row]
        return {"data": data, "has_more": True, "next_cursor": f"c{cursor}"}


async def all_of(rows: Any) -> None:
    async for _ in rows:
        pass


CALLS: dict[str, Callable[[HevoClient], Awaitable[Any]]] = {
    "list_pipelines": lambda hevo: all_of(hevo.list_pipelines()),
    "list_objects": lambda hevo: all_of(hevo.pipeline(1).list_objects()),
    "list_jobs": lambda hevo: all_of(hevo.pipeline(1).list_jobs()),
    "list_jobs of a type": lambda hevo: all_of(hevo.pipeline(1).list_jobs(job_type="X", limit=1)),
    "objects of a Job": lambda hevo: all_of(hevo.job(1, "j").list_objects()),
    "active_job": lambda hevo: hevo.pipeline(1).active_job(),
    "trigger": lambda hevo: hevo.pipeline(1).trigger(),
    "prepare_trigger": lambda hevo: hevo.pipeline(1).prepare_trigger(),
    "resync": lambda hevo: hevo.pipeline(1).resync(),
}


@pytest.mark.parametrize("kind", ["cycle", "same rows", "no rows"])
@pytest.mark.parametrize("call", CALLS)
async def test_every_call_that_reads_a_list_ends(call: str, kind: str) -> None:
    async with EndlessLists(kind) as server, client(server.port) as hevo:
        with pytest.raises(errors.UnexpectedResponse, match="a list does not end"):
            await CALLS[call](hevo)
        assert server.pages <= 12
        assert server.posts == 0


async def test_a_trigger_that_could_not_read_the_list_does_not_hold_the_pipeline() -> None:
    async with EndlessLists("new rows") as server, client(server.port) as hevo:
        triggers = [hevo.pipeline(1).trigger(), hevo.pipeline(1).trigger()]
        results = await asyncio.gather(*triggers, return_exceptions=True)
        assert {type(result) for result in results} == {errors.UnexpectedResponse}
        assert (server.pages, server.posts) == (1000, 0)


@pytest.mark.parametrize("kind", ["cycle", "same rows", "no rows", "new rows"])
async def test_a_list_that_does_not_end_after_the_post_leaves_the_outcome_open(kind: str) -> None:
    async with EndlessLists(kind, after_posts=1) as server, client(server.port) as hevo:
        start = now()
        with pytest.raises(errors.TriggerOutcomeUnknown) as caught:
            await hevo.pipeline(1).trigger()
        assert server.posts == 1
        assert now() - start < 400
        assert isinstance(caught.value.__cause__, errors.RequestError)


@pytest.mark.parametrize("kind", ["cycle", "same rows", "no rows", "new rows"])
async def test_a_wait_for_the_next_job_has_its_deadline(kind: str) -> None:
    async with EndlessLists(kind) as server, client(server.port) as hevo:
        start = now()
        # What no time can mend says more than that the time is over.
        error = errors.JobTimeout if kind == "new rows" else errors.UnexpectedResponse
        with pytest.raises(error):
            await hevo.pipeline(1).await_completion(timeout=40)
        assert now() - start < 300
        assert server.pages < 500


@pytest.mark.parametrize("kind", ["cycle", "same rows", "no rows"])
async def test_a_list_that_never_ends_ends_the_wait_for_the_next_job(kind: str) -> None:
    async with EndlessLists(kind) as server, client(server.port) as hevo:
        start = now()
        with pytest.raises(errors.UnexpectedResponse, match="does not end"):
            await hevo.pipeline(1).await_completion()
        assert 60 <= now() - start < 300
        assert server.pages < 500
