"""A dict that keeps its latest entries only."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hevo_edge._common.bounded_dict import BoundedDict


def test_the_oldest_are_dropped_beyond_a_number() -> None:
    kept: BoundedDict[str, int] = BoundedDict(2)
    assert [kept.set(key, place, now=0.0) for place, key in enumerate("abc")] == [
        [],
        [],
        [("a", 0)],
    ]
    assert (kept.get("a"), kept.get("b"), kept.get("c"), len(kept)) == (None, 1, 2, 2)


def test_what_is_set_again_is_the_latest() -> None:
    kept: BoundedDict[str, int] = BoundedDict(2)
    kept.set("a", 1, now=0.0)
    kept.set("b", 2, now=1.0)
    kept.set("a", 3, now=2.0)
    assert kept.set("c", 4, now=3.0) == [("b", 2)]
    assert kept.get("a") == 3


def test_what_is_older_than_the_longest_time_is_dropped_for_a_new_one() -> None:
    kept: BoundedDict[str, int] = BoundedDict(10, longest=60.0)
    kept.set("a", 1, now=0.0)
    kept.set("b", 2, now=1.0)
    assert kept.set("c", 3, now=60.0) == []
    assert kept.set("d", 4, now=61.5) == [("a", 1), ("b", 2)]
    kept.discard("c")
    kept.discard("c")
    assert len(kept) == 1


def test_a_time_of_another_loop_drops_nothing_by_age() -> None:
    """Loops do not count from the same moment: what was set in the future stays, by number."""
    kept: BoundedDict[str, int] = BoundedDict(2, longest=60.0)
    kept.set("a", 1, now=1e9)
    assert kept.set("b", 2, now=0.0) == []
    assert kept.set("c", 3, now=0.0) == [("a", 1)]


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(0, 100))), st.integers(1, 4))
def test_it_is_a_dict_of_the_latest(steps: list[tuple[int, float]], most: int) -> None:
    kept: BoundedDict[int, int] = BoundedDict(most, longest=50.0)
    latest: dict[int, tuple[int, float]] = {}
    now = 0.0
    for value, (key, passed) in enumerate(steps):
        now += passed
        kept.set(key, value, now)
        latest.pop(key, None)
        latest[key] = value, now
        young = {k: v for k, (v, at) in latest.items() if now - at <= 50.0}
        expected = dict(list(young.items())[-most:])
        assert {k: kept.get(k) for k in range(6) if kept.get(k) is not None} == expected
        latest = {k: latest[k] for k in expected}
