"""The part of a limit that a process keeps to by itself: pure arithmetic."""

from __future__ import annotations

from itertools import pairwise

import pytest

from hevo_edge._http.local_share import LocalShare

OCCUPIED = 60.0


def alone(members: int, share: float | None = None) -> LocalShare:
    local = LocalShare(OCCUPIED, share)
    local.heard(members, 0.0)
    local.begin(0.0, others=0)
    return local


def test_members_divide_the_limit_and_one_has_a_half() -> None:
    assert [alone(members).share for members in (0, 1, 2, 4)] == [0.5, 0.5, 0.5, 0.25]
    assert alone(4, share=0.9).share == 0.9


@pytest.mark.parametrize("members", [2, 3, 7, 30, 100])
def test_all_together_never_have_more_than_the_limit(members: int) -> None:
    def most(local: LocalShare) -> int:
        return next(own for own in range(101) if not local.has_room(own, 100, 100.0))

    assert sum(most(alone(members)) for _ in range(members)) <= 100


def test_where_there_are_more_clients_than_calls_each_has_one_in_several_periods() -> None:
    local = alone(1000)
    times = [second for second in range(3000) if local.has_room(0, 100, float(second))]
    assert times == [0, 600, 1200, 1800, 2400]


def test_what_others_had_counts_for_a_period() -> None:
    local = LocalShare(OCCUPIED, None)
    local.begin(0.0, others=90)
    assert local.has_room(9, 100, 1.0)
    assert not local.has_room(10, 100, 59.0)
    assert local.has_room(10, 100, 60.1)
    assert not local.has_room(50, 100, 60.1)


def test_the_part_binds_until_the_others_are_back_as_well() -> None:
    local = alone(3)
    local.end(10.0)
    assert not local.is_on
    assert local.binds(12.0)
    local.heard(1, 12.0)
    assert local.share == pytest.approx(1 / 3), "the others are not back yet"
    assert not local.binds(30.0)
    local.heard(1, 30.0)
    assert local.share == 0.5


def test_tries_come_less_and_less_often() -> None:
    local = alone(1)
    now, tries = 0.0, []
    for _ in range(10):
        while not local.is_time_to_try(now):
            now += 0.1
        tries.append(now)
        local.failed(now)
    gaps = [after - before for before, after in pairwise(tries)]
    assert tries[0] <= 1.1
    assert 7.4 < max(gaps) <= 15.2
