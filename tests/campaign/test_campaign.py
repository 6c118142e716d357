"""The campaign's judge on hand-made trials, and a sample of the campaign itself."""

from __future__ import annotations

from typing import Any

import pytest

from hevo_edge.emulator import EmulatedJob, RecordedCall
from tests.campaign import __main__ as command
from tests.campaign.drawing import draw
from tests.campaign.judge import (
    BREACHES,
    FLAGGED,
    FOREIGN,
    GAVE_UP,
    JOINED,
    REFUSED_CORRECTLY,
    RIGHT,
    SWAPPED,
    UNRESOLVED,
    Verdict,
    judge,
)
from tests.campaign.outcome import Evidence, Outcome, Span
from tests.campaign.report import failures, has_breach
from tests.campaign.trials import run_block, run_trial

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


def breached(verdicts: dict[int, Verdict], name: str) -> list[int]:
    return [number for number, verdict in verdicts.items() if name in verdict.breaches]


class TestCampaign:
    def test_what_must_never_happen(self) -> None:
        verdicts = dict(run_block(1, list(range(100)), "hevo_edge"))
        for breach in ("duplicate", "wrong", "lost", "untyped", "hang"):
            assert breached(verdicts, breach) == [], breach

    def test_strangers_start_runs_of_their_own(self) -> None:
        trials = [run_trial(1, number, "hevo_edge", "strangers") for number in range(8)]
        assert any(job.origin == "stranger" for trial in trials for job in trial.jobs)
        assert not any(name in trial.verdict.breaches for trial in trials for name in BREACHES)

    def test_the_judge_finds_the_breaches_of_the_naive_script(self) -> None:
        verdicts = dict(run_block(1, list(range(80)), "naive"))
        for name in ("duplicate", "wrong", "lost"):
            assert breached(verdicts, name)

    def test_the_same_number_is_the_same_trial(self) -> None:
        assert draw(1, 7) == draw(1, 7) != draw(2, 7)
        first, again = run_trial(1, 7, "hevo_edge"), run_trial(1, 7, "hevo_edge")
        assert first.verdict == again.verdict
        assert [moment for moment, _ in first.log] == [moment for moment, _ in again.log]


class TestCommand:
    def test_a_replay(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert command.main(["--only", "7", "--caller", "hevo_edge", "--verbose"]) == 0
        printed = capsys.readouterr().out
        for part in ("trial 7 of seed 1", "dialect:", "by sync_now", "POST sync_now", "outcome:"):
            assert part in printed

    def test_the_table(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert command.main(["--trials", "4", "--processes", "1"]) == 0
        printed = capsys.readouterr().out.splitlines()
        assert printed[0] == "| | hevo_edge | naive |"
        assert "| trials | 4 | 4 |" in printed

    def test_the_exit_code_is_for_breaches(self) -> None:
        bad = Verdict(breaches={"lost": "why"})
        assert has_breach({1: Verdict(), 2: bad})
        listed = failures("--seed 5", "hevo_edge", {1: Verdict(), 2: bad})
        assert "hevo_edge, lost: 2\n  2: why" in listed
        assert "--seed 5 --caller hevo_edge --only NUMBER" in listed
