"""What a hostile trial has besides faults: clocks apart, and replies that are well-formed and wrong.

Bounds keep the truth knowable: a Job that is listed after an hour, or a list that is old for ever,
would leave "unknown" as the only right answer.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hevo_edge.enums import JobStatus

from .scenario import Lie, PlannedFault, PlannedJob, Scenario

OTHER_PIPELINE = 456
"""A Pipeline of the same account, about which some replies are."""
STALEST = 40.0
"""Seconds by which a copy lags at most: with a late effect and a late row, a Job still shows up
within the time in which it is searched for.
"""
_STRAYS: tuple[tuple[int, object], ...] = (
    (200, {"message": "Sync triggered successfully"}),
    (200, {"data": [], "has_more": False, "next_cursor": None}),
    (400, {"error": "BAD_REQUEST", "message": "no"}),
    (401, {"error": "AUTHENTICATION_FAILED", "message": "no"}),
    (404, {"error": "NOT_FOUND", "message": "no"}),
    (408, "<html>Request time-out</html>"),
    (409, {"error": "Conflict", "message": "A job is already in progress for this pipeline"}),
    (429, "slow down"),
    (503, ""),
)
_OUTCOMES = (JobStatus.COMPLETED,) * 5 + (
    JobStatus.FAILED,
    JobStatus.COMPLETED_WITH_FAILURES,
    JobStatus.DEFERRED,
    JobStatus.CANCELLED,
)
_AFTER_EFFECT = ("drop", "reset", "gateway", "5xx", "truncate", "html", "endless", "slow")
"""Faults that leave a POST of the first holder in effect, so that the second can find its Job."""
_WAYS = ("post", "get_pipeline", "list_jobs", "list_jobs", "get_job", "get_job")


def hostile(scenario: Scenario) -> Scenario:
    """Return a trial with clocks apart, lies, all actions, and perhaps a second holder."""
    rng = random.Random(f"{scenario.seed}:{scenario.number}:hostile")
    scenario = _with_action(scenario, rng)
    if rng.random() < 0.5:
        scenario = replace(scenario, date_skew=_skew(rng))
    if rng.random() < 0.25:
        scenario = _with_node_clocks(scenario, rng)
    choices: dict[str, Any] = {}
    if rng.random() < 0.2:
        choices["list_order"] = "last_updated_first"
    if rng.random() < 0.3:
        choices["cursor"] = "offset"
    # Of a generator of its own, so that the trials of a seed stay what they were.
    choices["empty_list"] = random.Random(f"{scenario.seed}:{scenario.number}:empty").choice(
        ("list", "null", "missing")
    )
    plans = tuple(replace(plan, outcome=rng.choice(_OUTCOMES)) for plan in scenario.plans)
    faults = tuple(_harder(fault, rng) for fault in scenario.faults)
    scenario = replace(
        scenario,
        dialect=replace(scenario.dialect, **choices),
        plans=plans,
        faults=faults,
        lies=tuple(_lie(rng) for _ in range(rng.choices((0, 1, 2, 3), (20, 40, 25, 15))[0])),
        pause=rng.choice((0.0, rng.uniform(0, 1), rng.uniform(0, 20))),
        awaits=rng.random() < 0.7,
    )
    return _with_second_holder(scenario, rng) if rng.random() < 0.15 else scenario


def _with_action(scenario: Scenario, rng: random.Random) -> Scenario:
    action = scenario.action
    if action == "RESYNC" and rng.random() < 0.4:
        action = "RESYNC_OBJECTS"
    includes = action == "SYNC_NOW" and rng.random() < 0.1
    job_type = None
    if rng.random() < 0.2:
        job_type = "HISTORICAL" if includes or action == "RESYNC_OBJECTS" else "INCREMENTAL"
        if action == "RESYNC":
            dialect, drop = scenario.dialect, scenario.drop_and_load
            job_type = dialect.drop_and_load_type if drop else dialect.resync_type
    return replace(scenario, action=action, includes_object=includes, job_type=job_type)


def _skew(rng: random.Random) -> float:
    size = rng.choice((rng.uniform(5, 30), rng.uniform(30, 600), rng.uniform(3000, 14_400)))
    return rng.choice((-1, 1)) * size


def _with_node_clocks(scenario: Scenario, rng: random.Random) -> Scenario:
    """Let some Jobs run on a node whose clock is wrong."""
    skew, share = _skew(rng), rng.choice((0.1, 0.5, 1.0))

    def on_node(plan: PlannedJob) -> PlannedJob:
        return replace(plan, skew=skew) if rng.random() < share else plan

    history = tuple(
        replace(past, skew=skew) if rng.random() < share else past for past in scenario.history
    )
    plans = tuple(map(on_node, scenario.plans))
    return replace(scenario, history=history, plans=plans)


def _harder(fault: PlannedFault, rng: random.Random) -> PlannedFault:
    """Turn some faults of a POST into those of gateways: a reset, or 408, 425 and 499."""
    if fault.on != "post" or rng.random() < 0.6:
        return fault
    return replace(fault, kind=rng.choice(("reset", "gateway")), status=rng.choice((408, 425, 499)))


def _with_second_holder(scenario: Scenario, rng: random.Random) -> Scenario:
    """Let a second process fire the stored ticket, too.

    It cannot know of a POST that comes after its search; so the first holder posts soon and once.
    """
    effects = tuple(
        replace(fault, effect="after")
        for fault in scenario.faults
        if fault.on == "post" and fault.skip == 0 and fault.kind in _AFTER_EFFECT
    )
    return replace(
        scenario,
        faults=effects,
        lies=tuple(lie for lie in scenario.lies if lie.kind in {"shift", "in_seconds"}),
        kills=(),
        without_ticket=False,
        every_minutes=None,
        running_age=None,
        shares_a_loop=rng.random() < 0.3,
        second_holder=rng.choice((0.0, rng.uniform(0, 5), rng.uniform(0, 90))),
    )


def _lie(rng: random.Random) -> Lie:
    kind = rng.choice(list(_LIES))
    return _LIES[kind](rng)


def _after(rng: random.Random) -> float:
    return rng.choice((0.0, 1e-6, 0.01, 0.3, 2.0))


def _stray(rng: random.Random) -> Lie:
    status, body = rng.choice(_STRAYS)
    options = {"status": status, "body": body, "after": _after(rng)}
    return Lie("stray", rng.choice(_WAYS), options, rng.randint(1, 2), rng.randint(0, 4))


def _double(rng: random.Random) -> Lie:
    options = {"after": _after(rng)}
    return Lie("double", rng.choice(_WAYS), options, rng.randint(1, 2), rng.randint(0, 4))


def _stale(rng: random.Random) -> Lie:
    return Lie(
        "stale",
        rng.choice(("list_jobs", "get_job", "get_*", "*")),
        {"seconds": rng.uniform(2, STALEST)},
        rng.choice((None, None, rng.randint(1, 10))),
        probability=rng.choice((0.3, 0.7, 1.0)),
    )


def _shift(rng: random.Random) -> Lie:
    return Lie(
        "shift",
        rng.choice(("get_job", "list_jobs", "*_job*")),
        {"name": "updated_ts", "by": rng.choice((-1, 1)) * rng.choice((1, 5000, 3_600_000))},
        rng.choice((None, rng.randint(1, 4))),
        probability=rng.choice((0.3, 0.7, 1.0)),
    )


def _in_seconds(rng: random.Random) -> Lie:
    on, name = rng.choice(("get_job", "list_jobs")), rng.choice(("updated_ts", "created_ts"))
    return Lie("in_seconds", on, {"name": name}, rng.randint(1, 3), rng.randint(0, 3))


def _status(rng: random.Random) -> Lie:
    on, times, skip = rng.choice(("get_job", "list_jobs")), rng.randint(1, 4), rng.randint(0, 3)
    if rng.random() < 0.25:
        return Lie("missing_field", on, {"name": "status"}, times, skip)
    value = rng.choice((None, "UNKNOWN", "ODD", ""))
    return Lie("unknown_value", on, {"name": "status", "value": value}, times, skip)


def _other_id(rng: random.Random) -> Lie:
    times, skip = rng.randint(1, 3), rng.randint(0, 3)
    if rng.random() < 0.3:
        return Lie("other_id", "get_pipeline", {"pipeline_id": OTHER_PIPELINE}, times, 0)
    return Lie("other_id", "get_job", {}, times, skip)


def _endless_list(rng: random.Random) -> Lie:
    times = rng.choice((2, 20, None))
    return Lie("endless_list", "list_jobs", {"cycle": rng.choice((1, 2, 3, None))}, times)


_LIES: dict[str, Callable[[random.Random], Lie]] = {
    "stray": _stray,
    "double": _double,
    "stale": _stale,
    "shift": _shift,
    "in_seconds": _in_seconds,
    "status": _status,
    "other_id": _other_id,
    "endless_list": _endless_list,
}
