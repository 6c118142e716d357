"""What several observers call the same things: words of which there are few."""

from __future__ import annotations

import asyncio

from hevo_edge.observing._events import PollEvent, TriggerEvent, WaitEvent


def error_type(error: BaseException | None) -> str | None:
    """Return the name of an error's class, None for none."""
    return None if error is None else type(error).__name__


def poll_kind(event: PollEvent) -> str:
    """Return what a poll reads: a ``"job"``, several by the ``"list"``, or the ``"next"`` one."""
    return {0: "next", 1: "job"}.get(len(event.job_ids), "list")


def trigger_outcome(event: TriggerEvent) -> str:
    """Return how a call has ended: the certainty, ``"none"``, ``"prepared"``, or the error."""
    if event.error is not None:
        return type(event.error).__name__
    if event.certainty is not None:
        return str(event.certainty)
    return "prepared" if event.verb == "prepare" else "none"


def wait_outcome(event: WaitEvent) -> str:
    """Return how a wait has ended: ``"succeeded"``, ``"left"``, or the error."""
    if event.error is None:
        return "succeeded"
    is_left = isinstance(event.error, asyncio.CancelledError)
    return "left" if is_left else type(event.error).__name__
