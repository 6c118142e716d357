"""Requests, faults and helpers that the tests of HTTP share."""

from __future__ import annotations

import asyncio
import traceback
from typing import Any

from hevo_edge import api, errors
from hevo_edge._http.limiter import RateLimiter
from hevo_edge._http.ratelimit import Priority

GET, POST, DELETE = api.get_pipeline(123), api.sync_now(123), api.delete_pipeline(123)

PASSING: list[tuple[str, dict[str, Any], type[errors.RequestError]]] = [
    ("status", {"status": 429}, errors.RateLimited),
    ("status", {"status": 500}, errors.ServerError),
    ("status", {"status": 502, "body": "<html><title>Bad Gateway</title>"}, errors.ServerError),
    ("status", {"status": 503}, errors.ServerError),
    ("status", {"status": 504}, errors.ServerError),
    *(
        ("status", {"status": status, "body": "<html><title>Time-out</title>"}, errors.ServerError)
        for status in (408, 425, 444, 460, 499, 598, 599)
    ),
    ("drop", {}, errors.RequestOutcomeUnknown),
    ("drop", {"effect": "after"}, errors.RequestOutcomeUnknown),
    ("delay", {"seconds": 40}, errors.RequestOutcomeUnknown),
    ("endless", {}, errors.RequestOutcomeUnknown),
    ("truncate", {}, errors.UnexpectedResponse),
    ("html", {}, errors.UnexpectedResponse),
    ("body", {"body": b"\xff\xfe\xfa"}, errors.UnexpectedResponse),
    ("body", {"body": b'{"id": 12'}, errors.UnexpectedResponse),
]


def now() -> float:
    return asyncio.get_running_loop().time()


def everything_in(error: BaseException) -> str:
    """Return all that a traceback tool could show of an error, the frames' variables included."""
    shown = [repr(error), str(error), *traceback.format_exception(error)]
    chain: list[BaseException | None] = [error]
    while chain:
        link = chain.pop()
        if link is None:
            continue
        shown += [repr(link), repr(link.__dict__)]
        step = link.__traceback__
        while step is not None:
            # By module: the folder may have any name, such as that of an unpacked sdist.
            if step.tb_frame.f_globals["__name__"].split(".")[0] in {"hevo_edge", "aiohttp"}:
                shown += [repr(value) for value in step.tb_frame.f_locals.values()]
            step = step.tb_next
        chain += [link.__cause__, link.__context__]
    return "\n".join(shown)


async def use(limiter: RateLimiter, priority: Priority, *, sent: bool = True) -> None:
    """Take a slot and give it back."""
    slot = await limiter.acquire(priority)
    assert slot
    limiter.release(slot, sent=sent)
