"""Which new Job a trigger started, and how certain that is: pure rules over what was read.

Nothing in a Job says who started it. What helps: a Pipeline runs one Job at a time, so when Hevo
accepts a sync, no other Job is running at that time; a Job has the time of its creation; and a
schedule is a grid.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from hevo_edge._triggering.ticket import Post, TriggerTicket
from hevo_edge.enums import RESYNC_TYPES, Certainty, JobStatus
from hevo_edge.models import JobData

CLOCK_SLACK = 5.0
"""Seconds by which Hevo's gateway, which writes the Date header, and the Jobs' clock may differ."""
MAX_START_DELAY = 900.0
"""Seconds after its POST in which a sync's Job must have been created. It takes seconds; a process
that resumes a day later must not take a Job that somebody else has started meanwhile.
"""
DATE_STEP = 1.0
"""The resolution of a Date header in seconds."""


@dataclass(frozen=True)
class Found:
    """The Job of a trigger, how certain that is, and its snapshot if there is one."""

    job_id: str
    certainty: Certainty
    job: JobData | None = None


class Match(IntEnum):
    """How well a new Job matches a trigger; the smaller, the better."""

    ON_TIME = 0
    """Hevo accepted the POST, and the Job was created while it was in flight, or no schedule starts
    Jobs of its type.
    """
    SINCE = 1
    """It was created after the POST; so may be Jobs that the list does not show yet."""
    BEFORE = 2
    """It was created just before the POST, by clocks that may differ, or was cancelled by the
    resync.
    """
    BY_SCHEDULE = 3
    """It was created when the schedule may have started it."""
    OLD = 4
    """It was not in the list before; but by its own clock it is older than the POST by more than
    clocks should differ, and it has ended or Hevo may not have accepted the POST. No clock proves
    that it is not the Job: they may be an hour apart.
    """


_CANCELLED = frozenset({JobStatus.CANCELLING, JobStatus.CANCELLED})
_DOUBTFUL = frozenset({Match.BEFORE, Match.BY_SCHEDULE, Match.OLD})


def select(
    ticket: TriggerTicket,
    post: Post,
    new_jobs: Iterable[JobData],
    *,
    skip_doubtful: bool,
    long_ago: bool = False,
) -> Found | None:
    """Return the Job that a trigger started, of the Jobs that were not listed before.

    Args:
        ticket: What was to be started, and which Jobs there were before the POST.
        post: What is known of the POST.
        new_jobs: The new Jobs, oldest first.
        skip_doubtful: Leave out doubtful matches: a better one may still appear.
        long_ago: Whether the POST was sent long ago, see ``match_of``.
    """
    matches = [
        (match_of(ticket, post, job, long_ago=long_ago), job)
        for job in new_jobs
        if ticket.matches(job)
    ]
    candidates = [
        (match, job)
        for match, job in matches
        if match is not None and not (skip_doubtful and match in _DOUBTFUL)
    ]
    if not candidates:
        return None
    best = min(match for match, _ in candidates)
    rivals = [job for match, job in candidates if match is best]
    if best is Match.ON_TIME:
        rivals += [job for match, job in matches if _is_rival(ticket, post, rivals[0], match, job)]
    return Found(rivals[0].job_id, _certainty(ticket, post, best, rivals), rivals[0])


def match_of(
    ticket: TriggerTicket, post: Post, job: JobData, *, long_ago: bool = False
) -> Match | None:
    """Return how well a new Job matches; None when it is too new.

    A Job can be too new only when the POST was sent long ago: right after a POST its Job appears,
    whatever the clocks at Hevo say. That is no proof either, see ``Discovery.find_or_none``.
    """
    span = _span(ticket, post)
    if job.created_ts is None or span is None:
        return Match.SINCE
    sent, answered = span
    created = job.created_ts / 1000
    # A resync cancels the running Job, so a cancelled Job may be that one.
    before = created < sent or (ticket.restarts and job.status in _CANCELLED)
    # One Job runs at a time, so a Job that runs after Hevo accepted a sync has begun since then,
    # whatever its clock says. A resync is accepted while a Job runs.
    if before and post.accepted and not ticket.restarts and not job.is_terminal:
        return Match.SINCE
    too_new = long_ago and not ticket.restarts and created > answered + MAX_START_DELAY
    if too_new or created < sent - CLOCK_SLACK:
        return None if too_new else Match.OLD
    by_hand = _is_resync(ticket, job)
    if post.accepted and not before and (by_hand or created <= answered):
        return Match.ON_TIME
    if not by_hand and ticket.schedule_grid.may_start(created, created):
        return Match.BY_SCHEDULE
    return Match.BEFORE if before else Match.SINCE


def _is_resync(ticket: TriggerTicket, job: JobData) -> bool:
    """Say whether a resync was asked for, and no schedule starts Jobs of this type."""
    return ticket.restarts and str(job.type).upper() in RESYNC_TYPES


def _is_rival(
    ticket: TriggerTicket, post: Post, best: JobData, match: Match | None, job: JobData
) -> bool:
    """Say whether a Job would be on time instead of the best one if the clocks differ a little."""
    span = _span(ticket, post)
    if _is_resync(ticket, best) != _is_resync(ticket, job) or span is None:
        return False
    soon = job.created_ts is not None and job.created_ts / 1000 <= span[1] + CLOCK_SLACK
    early = match in {Match.BEFORE, Match.OLD}
    return early or (soon and match in {Match.SINCE, Match.BY_SCHEDULE})


def _span(ticket: TriggerTicket, post: Post) -> tuple[float, float] | None:
    """Return the times between which Hevo received the POST, by Hevo's clock, if it is known."""
    sent, elapsed = ticket.watermark.server_time, post.elapsed or 0.0
    if sent is None:
        return None
    if post.answered_at is not None:
        # The list may have arrived late; the time of the answer is more precise.
        sent = max(sent, post.answered_at - elapsed)
    return sent, sent + elapsed + DATE_STEP


def _certainty(ticket: TriggerTicket, post: Post, match: Match, rivals: list[JobData]) -> Certainty:
    if not post.accepted or match in _DOUBTFUL:
        return Certainty.POSSIBLE
    if match is Match.SINCE or len(rivals) > 1:
        return Certainty.LIKELY
    if _is_resync(ticket, rivals[0]):
        return Certainty.CERTAIN
    span = _span(ticket, post)
    scheduled = span is None or ticket.schedule_grid.may_start(*span)
    return Certainty.LIKELY if scheduled else Certainty.CERTAIN
