"""Judges a trial by the emulator's record. What the caller reports is only a claim."""

from __future__ import annotations

from dataclasses import dataclass, field

from hevo_edge.emulator import EmulatedJob, RecordedCall

from .interruptions import START_ENDPOINTS
from .outcome import FAILED, HANG, JOB, REFUSED, UNTYPED, Evidence, Span

REQUEST_TIMEOUT, DISCOVERY, MARGIN = 30.0, 150.0, 10.0
DUPLICATE, WRONG, LOST = "duplicate", "wrong", "lost"
BREACHES = (DUPLICATE, WRONG, LOST, UNTYPED, HANG)
"""What must never happen."""

RIGHT, FLAGGED, JOINED, FOREIGN, SWAPPED, REFUSED_CORRECTLY, UNRESOLVED, GAVE_UP = (
    "right Job, claimed for certain",
    "right Job, flagged as uncertain",
    "the running Job, joined as asked",
    "somebody else's run, flagged, own never started",
    "somebody else's run, flagged, own started too",
    "correctly refused",
    "unresolved, with a ticket",
    "gave up while the faults lasted, nothing started",
)
ENDINGS = (RIGHT, FLAGGED, JOINED, FOREIGN, SWAPPED, REFUSED_CORRECTLY, UNRESOLVED, GAVE_UP)
BREACH = "a breach"
_OWN = ("sync_now", "resync", "resync_objects")


@dataclass
class Verdict:
    """The result of a trial.

    Attributes:
        ending: One of ``ENDINGS``, or ``BREACH``.
        breaches: Which of ``BREACHES`` happened.
        claim: The certainty that was claimed for its Job, where it ended with one.
        is_own: Whether that Job was started by the caller.
        limited: Calls that the emulator's own limit refused.
        delay: Seconds from the Job's appearing in the list until the caller had its handle.
        lag: Seconds that the Job was missing from the list.
    """

    ending: str = BREACH
    breaches: dict[str, str] = field(default_factory=dict)
    claim: str | None = None
    is_own: bool = False
    posts: int = 0
    runs: int = 0
    requests: int = 0
    limited: int = 0
    is_quiet: bool = False
    delay: float | None = None
    lag: float | None = None


def judge(evidence: Evidence) -> Verdict:
    """Judge one trial."""
    posts = [call for call in evidence.journal if call.endpoint in START_ENDPOINTS]
    verdict = Verdict(
        posts=len(posts),
        runs=sum(call.took_effect for call in posts),
        requests=len(evidence.journal),
        limited=sum(_is_limited(call) for call in evidence.journal),
        is_quiet=evidence.is_quiet,
    )
    if verdict.runs > 1:
        verdict.breaches[DUPLICATE] = f"{verdict.runs} POSTs took effect"
    _judge_ending(evidence, verdict)
    for span in evidence.spans:
        if late := _overdue(span, evidence, posts):
            verdict.breaches[HANG] = f"{span.name} lasted {late:.0f} s longer than allowed"
    return verdict


def _judge_ending(evidence: Evidence, verdict: Verdict) -> None:
    outcome = evidence.outcome
    if outcome.kind in {UNTYPED, HANG}:
        verdict.breaches[outcome.kind] = outcome.detail
    elif outcome.kind == JOB:
        _judge_job(evidence, verdict)
    elif outcome.kind == REFUSED:
        if verdict.runs:
            verdict.breaches[LOST] = f"refused, though its own run was started: {outcome.detail}"
        elif not _others_running(evidence):
            verdict.breaches[LOST] = f"refused, though nothing ran: {outcome.detail}"
        else:
            verdict.ending = REFUSED_CORRECTLY
    elif verdict.runs and outcome.kind == FAILED:
        verdict.breaches[LOST] = f"reported as failed, though a run was started: {outcome.detail}"
    elif verdict.runs:
        verdict.ending = UNRESOLVED
    elif outcome.at > evidence.faults_end + 1.0:
        verdict.breaches[LOST] = f"gave up after all faults were over: {outcome.detail}"
    else:
        verdict.ending = GAVE_UP


def _judge_job(evidence: Evidence, verdict: Verdict) -> None:
    outcome = evidence.outcome
    job = next((job for job in evidence.jobs if job.job_id == outcome.job_id), None)
    verdict.claim = outcome.claim
    verdict.is_own = job is not None and job.origin in _OWN
    if job is None or not verdict.is_own:
        if outcome.claims_certain:
            verdict.breaches[WRONG] = f"Job {outcome.job_id} was not started by this caller"
        elif verdict.runs:
            verdict.ending = SWAPPED
        elif evidence.if_running == "join" and job in _others_running(evidence):
            verdict.ending = JOINED
        else:
            verdict.ending = FOREIGN
        return
    verdict.ending = RIGHT if outcome.claims_certain else FLAGGED
    verdict.delay = outcome.at - job.visible_from
    verdict.lag = job.visible_from - job.created


def _others_running(evidence: Evidence) -> list[EmulatedJob]:
    """Return the Jobs of others that ran at any time during the last call."""
    since = evidence.spans[-1].started if evidence.spans else 0.0
    return [
        job
        for job in evidence.jobs
        if job.origin not in _OWN
        and job.created <= evidence.outcome.at
        and (job.ended is None or job.ended >= since)
    ]


def _overdue(span: Span, evidence: Evidence, posts: list[RecordedCall]) -> float:
    """Return by how many seconds a call overran, from its last POST that may have taken effect.

    A call may wait long for another Job to end, so only the time after a POST counts.
    """
    if span.killed:
        return 0.0
    since = span.started if span.name == "reconcile" else None
    for post in posts:
        if span.started <= post.at <= span.ended and (post.took_effect or post.faults):
            since = post.at
        elif span.started <= post.at <= span.ended:
            since = None  # it was refused: another attempt follows
    if since is None:
        return 0.0
    restart = evidence.restart_duration if evidence.action == "RESYNC" else 0.0
    return max(0.0, span.ended - since - REQUEST_TIMEOUT - DISCOVERY - MARGIN - restart)


def _is_limited(call: RecordedCall) -> bool:
    return call.status == 429 and "status" not in call.faults
