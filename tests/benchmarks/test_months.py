"""A slice of the month: what a client holds does not grow with use."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from hevo_edge._awaiting.job_reader import HttpJobReader
from tests.benchmarks.holdings import containers, package_modules
from tests.benchmarks.months import Day, Month, faults_of, live

BOUNDED = ("registry", "known_tickets", "history")
"""What grows to a bound of its own, each with a test: tickets, and the durations of Jobs."""


class Sizes:
    """The sizes of all containers at the end of each day."""

    def __init__(self) -> None:
        self.days: list[dict[str, int]] = []

    def take(self, _: Day, month: Month) -> None:
        """Take those at the end of a day."""
        self.days.append(containers(month.pool, *package_modules()))

    def growth(self) -> dict[str, tuple[int, int]]:
        """Return the sizes of those that have grown, and have no bound that is known."""
        first, last = self.days[0], self.days[-1]
        sizes = {place: (first.get(place, 0), size) for place, size in last.items()}
        grown = {place: (old, new) for place, (old, new) in sizes.items() if new > old}
        return {p: both for p, both in grown.items() if not any(name in p for name in BOUNDED)}


async def test_after_two_days_a_client_holds_what_it_held_after_one() -> None:
    sizes = Sizes()
    days, month = await live(2, 6, seed=2, show=sizes.take)
    first, second = days
    assert faults_of(days, month) == []
    assert month.outcomes["well"] > 20
    assert first.calls > 200
    assert (second.held.tasks, second.held.timers) == (0, 0)
    assert sizes.growth() == {}
    assert any("registry" in place for place in sizes.days[-1]), "tickets are reached"


async def test_a_list_that_grows_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    polls: list[object] = []
    whole = HttpJobReader.read_job

    def leaking(reader: HttpJobReader, *arguments: Any, **options: Any) -> Any:
        polls.append(arguments)
        vars(reader)["_polls"] = polls
        return whole(reader, *arguments, **options)

    monkeypatch.setattr(HttpJobReader, "read_job", leaking)
    sizes = Sizes()
    await live(2, 2, seed=2, show=sizes.take)
    assert any(place.endswith("._polls") for place in sizes.growth())


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
