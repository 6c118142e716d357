"""A sample of the campaign, and its command."""

from __future__ import annotations

import pytest

from tests.campaign import __main__ as command
from tests.campaign.drawing import draw
from tests.campaign.judge import BREACHES, Verdict
from tests.campaign.report import failures, has_breach
from tests.campaign.trials import run_block, run_trial


def breached(verdicts: dict[int, Verdict], name: str) -> list[int]:
    return [number for number, verdict in verdicts.items() if name in verdict.breaches]


class TestCampaign:
    @pytest.mark.parametrize("kind", ["faults", "hostile"])
    def test_what_must_never_happen(self, kind: str) -> None:
        verdicts = dict(run_block(1, list(range(60)), "hevo_edge", kind))
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

    @pytest.mark.parametrize("kind", ["faults", "hostile"])
    def test_the_same_number_is_the_same_trial(self, kind: str) -> None:
        assert draw(1, 7, kind) == draw(1, 7, kind) != draw(2, 7, kind)
        first, again = (run_trial(1, 7, "hevo_edge", kind) for _ in range(2))
        assert first.verdict == again.verdict
        assert [moment for moment, _ in first.log] == [moment for moment, _ in again.log]


class TestCommand:
    def test_a_replay(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert (
            command.main(["--only", "7", "--kind", "faults", "--caller", "hevo_edge", "--verbose"])
            == 0
        )
        printed = capsys.readouterr().out
        for part in ("trial 7 of seed 1", "dialect:", "by sync_now", "POST sync_now", "outcome:"):
            assert part in printed

    def test_the_table(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert command.main(["--trials", "4", "--kind", "faults", "--processes", "1"]) == 0
        printed = capsys.readouterr().out.splitlines()
        assert printed[0] == "| | hevo_edge | naive |"
        assert "| trials | 4 | 4 |" in printed

    def test_the_exit_code_is_for_breaches(self) -> None:
        bad = Verdict(breaches={"lost": "why"})
        assert has_breach({1: Verdict(), 2: bad})
        listed = failures("--seed 5", "hevo_edge", {1: Verdict(), 2: bad})
        assert "hevo_edge, lost: 2\n  2: why" in listed
        assert "--seed 5 --caller hevo_edge --only NUMBER" in listed
