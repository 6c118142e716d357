"""A slice of the month: what a client holds does not grow with use."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from hevo_edge._awaiting.job_reader import HttpJobReader
from tests.benchmarks.holdings import Holdings, containers
from tests.benchmarks.months import Day, faults_of, live

BOUNDED = ("registry", "history")
"""What grows to a bound of its own, each with a test: tickets, and the durations of Jobs."""


def growth(before: Holdings, after: Holdings) -> dict[str, tuple[int, int]]:
    """Return the sizes of all containers that have grown, and have no bound that is known."""
    sizes = {place: (before.containers.get(place, 0), n) for place, n in after.containers.items()}
    grown = {place: (old, new) for place, (old, new) in sizes.items() if new > old}
    return {p: both for p, both in grown.items() if not any(name in p for name in BOUNDED)}


async def test_after_two_days_a_client_holds_what_it_held_after_one() -> None:
    shown: list[Day] = []
    days, month = await live(2, 6, seed=2, show=shown.append)
    first, second = days
    assert shown == days
    assert faults_of(days, month) == []
    assert month.outcomes["well"] > 20
    assert first.calls > 200
    assert (second.held.tasks, second.held.timers) == (0, 0)
    assert growth(first.held, second.held) == {}
    assert any("registry" in place for place in second.held.containers), "tickets are reached"


async def test_a_list_that_grows_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    polls: list[object] = []
    whole = HttpJobReader.read_job

    def leaking(reader: HttpJobReader, *arguments: Any, **options: Any) -> Any:
        polls.append(arguments)
        vars(reader)["_polls"] = polls
        return whole(reader, *arguments, **options)

    monkeypatch.setattr(HttpJobReader, "read_job", leaking)
    (first, second), _ = await live(2, 2, seed=2, show=lambda _: None)
    assert any(place.endswith("._polls") for place in growth(first.held, second.held))


@dataclass
class Holder:
    """Stands for an object of the package."""

    things: list[Any] = field(default_factory=list)
    by_name: dict[str, Any] = field(default_factory=dict)


def test_every_container_is_reached_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Holder, "__module__", "hevo_edge.holder")
    inner = Holder(things=[1, 2, 3])
    inner.by_name["self"] = inner
    outer = Holder(things=[(inner, {4, 5}), [inner]])
    assert containers(outer) == {
        "Holder.things": 2,
        "Holder.things[]": 3,
        "Holder.things[][]": 2,
        "Holder.things[][].things": 3,
        "Holder.things[][].by_name": 1,
        "Holder.by_name": 0,
    }
