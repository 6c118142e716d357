"""A few processes await Jobs through one Redis; one is killed, then Redis: no end is lost or told twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.fleet import Fleet, Options

from .redis_servers import BINARY, MISSING, RedisServer


@pytest.mark.real_time
@pytest.mark.skipif(BINARY is None, reason=MISSING)
def test_processes_that_are_killed_lose_no_wait_and_the_limit_is_kept(tmp_path: Path) -> None:
    # Patient: a busy machine is no outage.
    options = Options(processes=4, jobs=60, calls=20, period=2.0, kills=1, patience=30.0)
    with RedisServer() as server:
        report = Fleet(options, tmp_path).run(server)
    assert (len(report.kills), len(report.restarts)) == (1, 1)
    assert (report.lost, report.twice, report.wrong) == (0, 0, 0)
    assert 0 < report.worst(near_restarts=False) <= options.calls
    # The calls of the process that was killed are forgotten with Redis.
    assert report.worst(near_restarts=True) <= 2 * options.calls
