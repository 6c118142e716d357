"""Which of the new Jobs came of a trigger, and how surely: pure rules over what was read.

Nothing in a Job says who started it. What helps: a Pipeline runs one Job at a time, so when Hevo
accepts a sync, no other Job is running at that moment; a Job has the time of its creation; and a
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
LATEST = 900.0
"""Seconds after its POST in which a sync's Job must have been created. It is there in seconds; a
process that resumes a day later must not take what somebody else has started meanwhile.
"""
DATE_STEP = 1.0
"""Seconds; a Date header has no fractions."""


@dataclass(frozen=True)
class Found:
    """The Job of a trigger, how surely it is, and a snapshot of it if there is one."""

    job_id: str
    certainty: Certainty
    job: JobData | None = None


class Fit(IntEnum):
    """How well a new Job fits a trigger; the smaller, the better."""

    ON_TIME = 0
    """Hevo accepted, and the Job was created while the POST was on its way, or no schedule starts
    Jobs of its type.
    """
    SINCE = 1
    """It began since; so may have Jobs that the list does not show yet."""
    BEFORE = 2
    """It was created just before, by clocks that may differ, or was cancelled by the resync."""
    BY_SCHEDULE = 3
    """It was created when the schedule may have started it."""
    OLD = 4
    """Hevo accepted, and the Job is newer than those that were there, but by the other clock it is
    older than the POST, and has ended.
    """


_CANCELLED = frozenset({JobStatus.CANCELLING, JobStatus.CANCELLED})
_IN_DOUBT = frozenset({Fit.BEFORE, Fit.BY_SCHEDULE, Fit.OLD})


def choose(
    ticket: TriggerTicket,
    post: Post,
    news: Iterable[JobData],
    *,
    patient: bool,
    long_ago: bool = False,
) -> Found | None:
    """Return the Job that came of a trigger, of those that were not there before.

    Args:
        ticket: What was wanted, and what was there when it was posted.
        post: What is known of the POST.
        news: The new Jobs, oldest first.
        patient: Leave out those in doubt: a better one may yet show up.
        long_ago: Whether the POST was sent long ago, see ``fit_of``.
    """
    fits = [(fit_of(ticket, post, job, long_ago=long_ago), job) for job in news if ticket.fits(job)]
    candidates = [
        (fit, job) for fit, job in fits if fit is not None and not (patient and fit in _IN_DOUBT)
    ]
    if not candidates:
        return None
    best = min(fit for fit, _ in candidates)
    rivals = [job for fit, job in candidates if fit is best]
    if best is Fit.ON_TIME:
        rivals += [job for fit, job in fits if _is_rival(ticket, post, rivals[0], fit, job)]
    return Found(rivals[0].job_id, _certainty(ticket, post, best, rivals), rivals[0])


def fit_of(
    ticket: TriggerTicket, post: Post, job: JobData, *, long_ago: bool = False
) -> Fit | None:
    """Say how well a new Job fits; None when it is too old, or too new.

    Only where the POST was sent long ago can a Job be too new: whoever has just sent it sees its
    Job, whatever the clocks at Hevo say.
    """
    span = _span(ticket, post)
    if job.created_ts is None or span is None:
        return Fit.SINCE
    sent, answered = span
    created = job.created_ts / 1000
    # A resync cancels what runs, so a cancelled Job is perhaps of the one before.
    before = created < sent or (ticket.restarts and job.status in _CANCELLED)
    # One Job runs at a time, so what runs after Hevo has accepted a sync has begun since then,
    # whatever its clock says. A resync is accepted while Jobs run.
    if before and post.accepted and not ticket.restarts and not job.is_terminal:
        return Fit.SINCE
    too_old = created < sent - CLOCK_SLACK
    too_new = long_ago and not ticket.restarts and created > answered + LATEST
    if too_old or too_new:
        return Fit.OLD if too_old and post.accepted else None
    by_hand = _is_resync(ticket, job)
    if post.accepted and not before and (by_hand or created <= answered):
        return Fit.ON_TIME
    if not by_hand and ticket.timetable.may_start(created, created):
        return Fit.BY_SCHEDULE
    return Fit.BEFORE if before else Fit.SINCE


def _is_resync(ticket: TriggerTicket, job: JobData) -> bool:
    """Say whether a resync was asked for, and no schedule starts Jobs of this type."""
    return ticket.restarts and str(job.type).upper() in RESYNC_TYPES


def _is_rival(
    ticket: TriggerTicket, post: Post, best: JobData, fit: Fit | None, job: JobData
) -> bool:
    """Say whether a Job would be on time instead of the best one, by a clock a little off."""
    span = _span(ticket, post)
    if _is_resync(ticket, best) != _is_resync(ticket, job) or span is None:
        return False
    soon = job.created_ts is not None and job.created_ts / 1000 <= span[1] + CLOCK_SLACK
    return fit is Fit.BEFORE or (soon and fit in {Fit.SINCE, Fit.BY_SCHEDULE})


def _span(ticket: TriggerTicket, post: Post) -> tuple[float, float] | None:
    """Return the moments between which Hevo has got the POST, by Hevo's clock, if it is known."""
    sent, took = ticket.watermark.read_at, post.took or 0.0
    if sent is None:
        return None
    if post.answered_at is not None:
        # What was read may have come slowly; the answer tells more precisely.
        sent = max(sent, post.answered_at - took)
    return sent, sent + took + DATE_STEP


def _certainty(ticket: TriggerTicket, post: Post, fit: Fit, rivals: list[JobData]) -> Certainty:
    if not post.accepted or fit in _IN_DOUBT:
        return Certainty.POSSIBLE
    if fit is Fit.SINCE or len(rivals) > 1:
        return Certainty.LIKELY
    if _is_resync(ticket, rivals[0]):
        return Certainty.CERTAIN
    span = _span(ticket, post)
    scheduled = span is None or ticket.timetable.may_start(*span)
    return Certainty.LIKELY if scheduled else Certainty.CERTAIN
