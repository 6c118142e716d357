"""The campaign's judge, on trials made by hand."""

from __future__ import annotations

from typing import Any

import pytest

from hevo_edge.emulator import EmulatedJob, RecordedCall
from tests.campaign.judge import (
    FLAGGED,
    FOREIGN,
    GAVE_UP,
    JOINED,
    OTHER_HOLDER,
    REFUSED_CORRECTLY,
    RIGHT,
    SWAPPED,
    UNRESOLVED,
    Verdict,
    judge,
)
from tests.campaign.outcome import Evidence, Outcome, Span

MINE, OTHER = "mine", "other"


def post(at: float = 0.0, *, took_effect: bool = True, **more: Any) -> RecordedCall:
    call = RecordedCall(at, "sync_now", "POST", "/", {}, None, "", 123, status=200, **more)
    call.took_effect = took_effect
    return call


def job(job_id: str, origin: str, created: float = 0.0, ended: float | None = 60.0) -> EmulatedJob:
    made = EmulatedJob(job_id, "INCREMENTAL", created, created + 10, None, origin=origin)
    if ended is not None:
        made.end(ended, "COMPLETED")
    return made


def verdict_on(
    outcome: Outcome,
    posts: list[RecordedCall],
    jobs: list[EmulatedJob],
    *,
    spans: tuple[Span, ...] = (),
    if_running: str = "fail",
    action: str = "SYNC_NOW",
    faults_end: float = 0.0,
    **more: Any,
) -> Verdict:
    return judge(
        Evidence(
            action=action,
            if_running=if_running,
            is_quiet=False,
            restart_duration=20.0,
            journal=posts,
            jobs=jobs,
            outcome=outcome,
            spans=list(spans),
            faults_end=faults_end,
            **more,
        )
    )


def ended_with(job_id: str, **more: Any) -> Outcome:
    return Outcome("job", job_id=job_id, at=20.0, **more)


JOBS = [job(OTHER, "schedule"), job(MINE, "sync_now")]


class TestJudge:
    def test_one_post_and_its_job_is_right(self) -> None:
        verdict = verdict_on(ended_with(MINE), [post()], JOBS)
        assert (verdict.ending, verdict.breaches) == (RIGHT, {})
        assert (verdict.posts, verdict.runs, verdict.delay, verdict.lag) == (1, 1, 10.0, 10.0)

    @pytest.mark.parametrize(
        ("claim", "certain"),
        [
            ({}, True),
            ({"adopted": True}, False),
            ({"adopted": False, "certainty": "certain"}, True),
            ({"adopted": True, "certainty": "likely"}, False),
            ({"adopted": True, "certainty": "possible"}, False),
            ({"adopted": True, "certainty": "joined"}, False),
            ({"adopted": True, "certainty": "certain"}, True),
        ],
    )
    def test_what_is_claimed(self, claim: dict[str, Any], certain: bool) -> None:
        right = verdict_on(ended_with(MINE, **claim), [post()], JOBS)
        assert right.ending == (RIGHT if certain else FLAGGED)
        assert not right.breaches
        other = verdict_on(ended_with(OTHER, **claim), [post()], JOBS)
        assert list(other.breaches) == (["wrong"] if certain else [])
        assert certain or other.ending == SWAPPED

    def test_two_posts_that_took_effect_are_a_duplicate(self) -> None:
        refused = post(1.0, took_effect=False)
        assert not verdict_on(ended_with(MINE), [post(), refused], JOBS).breaches
        assert list(verdict_on(ended_with(MINE), [post(), post(1.0)], JOBS).breaches) == [
            "duplicate"
        ]

    @pytest.mark.parametrize(("if_running", "ending"), [("fail", FOREIGN), ("join", JOINED)])
    def test_a_job_of_others_that_is_flagged(self, if_running: str, ending: str) -> None:
        flagged = ended_with(OTHER, adopted=True)
        assert verdict_on(flagged, [], JOBS[:1], if_running=if_running).ending == ending
        # A Job that ended before the call was not joined.
        asked = (Span("fire", 61.0, 70.0),)
        over = verdict_on(flagged, [], JOBS[:1], if_running=if_running, spans=asked)
        assert over.ending == FOREIGN

    def test_a_job_that_does_not_exist_is_wrong(self) -> None:
        assert list(verdict_on(ended_with("no-such-job"), [], JOBS).breaches) == ["wrong"]

    def test_refusals(self) -> None:
        refused, asked = Outcome("refused", at=30.0), (Span("fire", 10.0, 30.0),)
        assert verdict_on(refused, [], JOBS[:1], spans=asked).ending == REFUSED_CORRECTLY
        over = [job(OTHER, "schedule", ended=9.0)]
        assert list(verdict_on(refused, [], over, spans=asked).breaches) == ["lost"]
        later = [job(OTHER, "schedule", created=31.0)]
        assert list(verdict_on(refused, [], later, spans=asked).breaches) == ["lost"]
        # Another's Job does run, but the caller's own was started as well.
        assert list(verdict_on(refused, [post()], JOBS, spans=asked).breaches) == ["lost"]
        # The running Job is the caller's own.
        assert list(verdict_on(refused, [post()], JOBS[1:], spans=asked).breaches) == ["lost"]

    def test_a_failure_after_a_run_was_started_is_lost(self) -> None:
        assert list(verdict_on(Outcome("failed"), [post()], JOBS).breaches) == ["lost"]
        unresolved = verdict_on(Outcome("unresolved"), [post()], JOBS)
        assert (unresolved.ending, unresolved.breaches) == (UNRESOLVED, {})

    @pytest.mark.parametrize("kind", ["failed", "unresolved"])
    def test_giving_up_is_lost_once_the_faults_are_over(self, kind: str) -> None:
        gave_up = Outcome(kind, at=100.0)
        posts = [post(took_effect=False)]
        assert list(verdict_on(gave_up, posts, [], faults_end=90.0).breaches) == ["lost"]
        assert verdict_on(gave_up, posts, [], faults_end=100.0).ending == GAVE_UP

    @pytest.mark.parametrize("kind", ["untyped", "hang"])
    def test_what_the_environment_found_is_passed_on(self, kind: str) -> None:
        assert list(verdict_on(Outcome(kind), [], []).breaches) == [kind]

    @pytest.mark.parametrize(
        ("span", "action", "hangs"),
        [
            (Span("fire", 0.0, 289.0), "SYNC_NOW", False),
            (Span("fire", 0.0, 291.0), "SYNC_NOW", True),
            (Span("fire", 0.0, 309.0), "RESYNC", False),
            (Span("fire", 0.0, 311.0), "RESYNC", True),
            (Span("fire", 0.0, 311.0, killed=True), "RESYNC", False),
            (Span("fire", 101.0, 3000.0), "SYNC_NOW", False),
            (Span("reconcile", 101.0, 290.0), "SYNC_NOW", False),
            (Span("reconcile", 101.0, 292.0), "SYNC_NOW", True),
        ],
    )
    def test_a_call_that_lasts_too_long_after_its_post(
        self, span: Span, action: str, hangs: bool
    ) -> None:
        verdict = verdict_on(ended_with(MINE), [post(100.0)], JOBS, spans=(span,), action=action)
        assert list(verdict.breaches) == (["hang"] if hangs else [])

    def test_waiting_after_a_refused_post_is_no_hang(self) -> None:
        posts = [post(100.0, took_effect=False)]
        waited = Span("fire", 0.0, 3000.0)
        assert not verdict_on(
            ended_with(OTHER, adopted=True), posts, JOBS, spans=(waited,)
        ).breaches
        posts[0].faults = ("drop",)
        late = verdict_on(ended_with(OTHER, adopted=True), posts, JOBS, spans=(waited,))
        assert list(late.breaches) == ["hang"]

    def test_only_the_emulators_own_limit_counts(self) -> None:
        earned, drawn = post(took_effect=False), post(took_effect=False, faults=("status",))
        earned.status = drawn.status = 429
        assert verdict_on(ended_with(MINE), [post(), earned, drawn], JOBS).limited == 1


def faulty(kind: str, at: float) -> RecordedCall:
    return RecordedCall(at, "list_jobs", "GET", "/", {}, None, "", 123, status=200, faults=(kind,))


class TestLies:
    def test_who_was_shown_a_run_may_refuse(self) -> None:
        refused, asked = Outcome("refused", at=30.0), (Span("fire", 10.0, 30.0),)
        for kind in ("stale", "unknown_value", "missing_field"):
            seen = verdict_on(refused, [faulty(kind, 20.0)], [], spans=asked)
            assert seen.ending == REFUSED_CORRECTLY
            before = verdict_on(refused, [faulty(kind, 5.0)], [], spans=asked)
            assert list(before.breaches) == ["lost"]
        other = verdict_on(refused, [faulty("other_id", 20.0)], [], spans=asked)
        assert list(other.breaches) == ["lost"]

    def test_time_to_store_is_no_hang(self) -> None:
        span = (Span("fire", 0.0, 320.0),)
        assert list(verdict_on(ended_with(MINE), [post(100.0)], JOBS, spans=span).breaches) == [
            "hang"
        ]
        assert not verdict_on(
            ended_with(MINE), [post(100.0)], JOBS, spans=span, pause=15.0
        ).breaches


class TestWait:
    @pytest.mark.parametrize(
        ("end", "of", "at", "breaches"),
        [
            ("COMPLETED", MINE, 70.0, []),
            ("COMPLETED", MINE, 50.0, ["wrong"]),  # it ended at 60
            ("FAILED", MINE, 70.0, ["wrong"]),
            ("COMPLETED", OTHER, 70.0, ["wrong"]),
            ("NotFound", None, 70.0, ["lost"]),
            ("AuthenticationError", None, 70.0, []),
            ("timeout", None, 600.0, []),
            ("timeout", None, 3000.0, ["hang"]),
            ("COMPLETED", MINE, 3000.0, ["hang"]),
            (None, None, 0.0, []),
        ],
    )
    def test_what_it_is_told(
        self, end: str | None, of: str | None, at: float, breaches: list[str]
    ) -> None:
        outcome = ended_with(MINE, end=end, end_of=of, ended_at=at)
        assert list(verdict_on(outcome, [post()], JOBS).breaches) == breaches


class TestTwoHolders:
    def test_one_may_be_told_no_when_the_other_has_the_job(self) -> None:
        both: dict[str, Any] = {"spans": (Span("fire", 0.0, 10.0),), "others": [ended_with(MINE)]}
        verdict = verdict_on(Outcome("refused", at=10.0), [post()], JOBS[1:], **both)
        assert (verdict.ending, verdict.breaches) == (OTHER_HOLDER, {})
        both["others"] = [Outcome("refused", at=10.0)]
        verdict = verdict_on(Outcome("refused", at=10.0), [post()], JOBS[1:], **both)
        assert list(verdict.breaches) == ["lost"]

    @pytest.mark.parametrize("kind", ["untyped", "hang"])
    def test_both_are_judged(self, kind: str) -> None:
        verdict = verdict_on(ended_with(MINE), [post()], JOBS, others=[Outcome(kind)])
        assert list(verdict.breaches) == [kind]
        wrong = verdict_on(ended_with(MINE), [post()], JOBS, others=[ended_with(OTHER)])
        assert list(wrong.breaches) == ["wrong"]
