"""Judges a trial by the emulator's record. What the caller reports is only a claim."""

from __future__ import annotations

from dataclasses import dataclass, field

from hevo_edge.emulator import EmulatedJob, RecordedCall
from hevo_edge.enums import is_terminal

from .interruptions import START_ENDPOINTS
from .outcome import FAILED, HANG, JOB, REFUSED, UNTYPED, Evidence, Outcome, Span

REQUEST_TIMEOUT, DISCOVERY, MARGIN = 30.0, 150.0, 10.0
_STORES = 3  # times that a call stores its ticket after its POST, at most
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
OTHER_HOLDER = "the other holder of its ticket has its Job"
ENDINGS = (
    *(RIGHT, FLAGGED, JOINED, FOREIGN, SWAPPED, REFUSED_CORRECTLY, OTHER_HOLDER),
    *(UNRESOLVED, GAVE_UP),
)
BREACH = "a breach"
_OWN = ("sync_now", "resync", "resync_objects")
_SHOW_ONE = frozenset({"stale", "unknown_value", "missing_field"})
"""Faults that show a Job as running, or as perhaps running, that has ended."""
NOTICED = 600.0
"""Seconds within which a wait must see the end of its Job, whatever some replies say."""


@dataclass
class Verdict:
    """The result of a trial.

    Attributes:
        ending: One of ``ENDINGS``, or ``BREACH``.
        breaches: Which of ``BREACHES`` happened.
        claim: The certainty that was claimed for its Job, where it ended with one.
        is_own: Whether that Job was started by the caller.
        limited: Calls that the emulator's own limit refused.
        killed: Processes of the caller that were ended.
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
    killed: int = 0
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
        killed=evidence.killed,
        is_quiet=evidence.is_quiet,
    )
    if verdict.runs > 1:
        verdict.breaches[DUPLICATE] = f"{verdict.runs} POSTs took effect"
    _judge_ending(evidence, evidence.outcome, verdict)
    for other in evidence.others:
        of_other = Verdict(runs=verdict.runs)
        _judge_ending(evidence, other, of_other)
        verdict.breaches.update(of_other.breaches)
    if LOST in verdict.breaches and _one_holder_has_it(evidence):
        del verdict.breaches[LOST]
        verdict.ending = verdict.ending if verdict.ending != BREACH else OTHER_HOLDER
    if verdict.breaches:
        verdict.ending = BREACH
    for span in evidence.spans:
        if late := _overdue(span, evidence, posts):
            verdict.breaches[HANG] = f"{span.name} lasted {late:.0f} s longer than allowed"
    return verdict


def _judge_ending(evidence: Evidence, outcome: Outcome, verdict: Verdict) -> None:
    if outcome.kind in {UNTYPED, HANG}:
        verdict.breaches[outcome.kind] = outcome.detail
    elif outcome.kind == JOB:
        _judge_job(evidence, outcome, verdict)
        _judge_wait(evidence, outcome, verdict)
    elif outcome.kind == REFUSED:
        if verdict.runs:
            verdict.breaches[LOST] = f"refused, though its own run was started: {outcome.detail}"
        elif not _others_running(evidence, outcome) and not _saw_one_run(evidence):
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


def _judge_job(evidence: Evidence, outcome: Outcome, verdict: Verdict) -> None:
    job = _job_of(evidence, outcome)
    verdict.claim = outcome.claim
    verdict.is_own = job is not None and job.origin in _OWN
    if job is None or not verdict.is_own:
        if outcome.claims_certain:
            verdict.breaches[WRONG] = f"Job {outcome.job_id} was not started by this caller"
        elif verdict.runs:
            verdict.ending = SWAPPED
        elif evidence.if_running == "join" and job in _others_running(evidence, outcome):
            verdict.ending = JOINED
        else:
            verdict.ending = FOREIGN
        return
    verdict.ending = RIGHT if outcome.claims_certain else FLAGGED
    verdict.delay = outcome.at - job.visible_from
    verdict.lag = job.visible_from - job.created


def _judge_wait(evidence: Evidence, outcome: Outcome, verdict: Verdict) -> None:
    """Judge what the caller was told of its Job's end."""
    job = _job_of(evidence, outcome)
    if outcome.end is None or job is None:
        return
    if outcome.end == "NotFound":
        verdict.breaches[LOST] = f"told that its Job does not exist: {outcome.detail}"
    elif is_terminal(outcome.end):
        has_ended = job.ended is not None and job.ended <= outcome.ended_at
        if not has_ended or outcome.end != job.status or outcome.end_of != job.job_id:
            truth = f"{job.status} since {job.ended}"
            verdict.breaches[WRONG] = f"told {outcome.end} of Job {outcome.end_of}; it is {truth}"
    if job.ended is not None and outcome.ended_at - max(job.ended, outcome.at) > NOTICED:
        verdict.breaches[HANG] = f"the end of its Job was not seen for {NOTICED:.0f} s"


def _one_holder_has_it(evidence: Evidence) -> bool:
    """Say whether, of two holders of a ticket, one was given its Job, and was told no lie of it."""
    outcomes = [evidence.outcome, *evidence.others]
    return len(outcomes) > 1 and any(
        outcome.kind == JOB and (job := _job_of(evidence, outcome)) and job.origin in _OWN
        for outcome in outcomes
    )


def _job_of(evidence: Evidence, outcome: Outcome) -> EmulatedJob | None:
    return next((job for job in evidence.jobs if job.job_id == outcome.job_id), None)


def _saw_one_run(evidence: Evidence) -> bool:
    """Say whether a reply in the last call may have shown a Job as running that had ended."""
    since = _last_call(evidence)
    return any(call.at >= since and _SHOW_ONE & set(call.faults) for call in evidence.journal)


def _last_call(evidence: Evidence) -> float:
    """Return when the last call that starts a run began."""
    starting = [span.started for span in evidence.spans if span.name != "await_completion"]
    return max(starting, default=0.0)


def _others_running(evidence: Evidence, outcome: Outcome) -> list[EmulatedJob]:
    """Return the Jobs of others that ran at any time during the last call."""
    since = _last_call(evidence)
    return [
        job
        for job in evidence.jobs
        if job.origin not in _OWN
        and job.created <= outcome.at
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
    stores = _STORES * evidence.pause
    allowed = REQUEST_TIMEOUT + DISCOVERY + MARGIN + restart + stores
    return max(0.0, span.ended - since - allowed)


def _is_limited(call: RecordedCall) -> bool:
    return call.status == 429 and "status" not in call.faults
