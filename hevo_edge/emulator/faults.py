"""Fault injection: rules for which requests fail, and how."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from hevo_edge.emulator.routes import check_endpoint

BEFORE, AFTER = "before", "after"
_MIN_STATUS, _MAX_STATUS = 200, 599


@dataclass
class Fault:
    """One rule: what goes wrong, where, when and how often.

    Attributes:
        kind: What goes wrong: the name of a method of ``Faults``.
        on: An endpoint's name, a pattern such as ``"*_now"``, or ``"*"``.
        effect: Whether it hits ``"before"`` or ``"after"`` the endpoint has taken effect.
        times: How many requests it hits; None for all.
        skip: How many matching requests succeed first.
        probability: The chance that it hits a matching request.
        options: The arguments of its kind.
        hit: How many requests it has hit: a test in which that is 0 has tested nothing.
    """

    kind: str
    on: str = "*"
    effect: str = BEFORE
    times: int | None = 1
    skip: int = 0
    probability: float = 1.0
    options: dict[str, Any] = field(default_factory=dict)
    hit: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.effect not in {BEFORE, AFTER}:
            raise ValueError(f"effect must be 'before' or 'after', not {self.effect!r}")
        if self.times is not None and self.times < 0:
            raise ValueError(f"times must be at least 0, or None for all, not {self.times!r}")
        if self.skip < 0:
            raise ValueError(f"skip must be at least 0, not {self.skip!r}")
        if not 0 <= self.probability <= 1:
            raise ValueError(f"probability must be from 0 to 1, not {self.probability!r}")

    def hits(self, endpoint: str, rng: random.Random) -> bool:
        """Tell whether it hits this request, and count the request."""
        if self.times == 0 or not fnmatchcase(endpoint, self.on):
            return False
        if self.probability < 1.0 and rng.random() >= self.probability:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        self.hit += 1
        return True


class Faults:
    """The rules of an emulator. Each method adds one and returns it; ``clear`` drops all.

    Every method takes the keywords of ``Fault``: ``on``, ``times``, ``skip``, ``probability``,
    and ``delay``, ``drop`` and ``status`` take ``effect``.
    """

    def __init__(self, rng: random.Random) -> None:
        self.rules: list[Fault] = []
        self._rng = rng

    def delay(self, seconds: float, *, effect: str = BEFORE, **rule: Any) -> Fault:
        """Delay the request (before its effect) or the reply (after) by emulator seconds."""
        if not seconds >= 0:
            raise ValueError(f"seconds must be at least 0, not {seconds!r}")
        return self._add("delay", effect, {"seconds": seconds}, rule)

    def drop(self, *, effect: str = BEFORE, reset: bool = False, **rule: Any) -> Fault:
        """Cut the connection without a reply; ``reset`` resets it instead of closing it."""
        return self._add("drop", effect, {"reset": reset}, rule)

    def status(
        self,
        status: int,
        body: Any = "",
        *,
        headers: Mapping[str, str] | None = None,
        effect: str = BEFORE,
        **rule: Any,
    ) -> Fault:
        """Answer with a status and a body: text, bytes or JSON data."""
        return self._add("status", effect, _reply(status, body, headers), rule)

    def truncate(self, **rule: Any) -> Fault:
        """Break the connection in the middle of the reply's body."""
        return self._add("truncate", AFTER, {}, rule)

    def endless(self, **rule: Any) -> Fault:
        """Send a body that never ends."""
        return self._add("endless", AFTER, {}, rule)

    def body(self, body: Any, *, content_type: str = "application/json", **rule: Any) -> Fault:
        """Keep the status, but send this body: text, bytes or JSON data."""
        return self._add("body", AFTER, {"body": body, "content_type": content_type}, rule)

    def html(self, **rule: Any) -> Fault:
        """Keep the status, but send a proxy's HTML page."""
        page = "<html><head><title>Please wait</title></head><body>...</body></html>"
        return self.body(page, content_type="text/html", **rule)

    def unknown_value(self, name: str, value: Any = "NEVER_SEEN_BEFORE", **rule: Any) -> Fault:
        """Set a field to an unknown value, or to None, in the reply and in every row of a list."""
        return self._add("unknown_value", AFTER, {"name": name, "value": value}, rule)

    def missing_field(self, name: str, **rule: Any) -> Fault:
        """Leave a field out, of the reply and of every row of a list."""
        return self._add("missing_field", AFTER, {"name": name}, rule)

    def shift(self, name: str, by: float, **rule: Any) -> Fault:
        """Add to a number, such as ``updated_ts`` (ms), in the reply and in every row of a list.

        So answers a node whose clock is ahead, or one that is behind.
        """
        return self._add("shift", AFTER, {"name": name, "by": by}, rule)

    def in_seconds(self, name: str, **rule: Any) -> Fault:
        """Send a time, such as ``updated_ts``, in seconds instead of ms."""
        return self._add("in_seconds", AFTER, {"name": name}, rule)

    def stale(self, seconds: float, **rule: Any) -> Fault:
        """Answer a GET from a copy of the Pipelines and Jobs that is so many seconds old."""
        if not seconds >= 0:
            raise ValueError(f"seconds must be at least 0, not {seconds!r}")
        return self._add("stale", AFTER, {"seconds": seconds}, rule)

    def other_id(
        self, *, pipeline_id: int | None = None, job_id: str | None = None, **rule: Any
    ) -> Fault:
        """Answer about another Pipeline or Job than the path names."""
        ids = {"pipeline_id": pipeline_id, "job_id": job_id}
        others = {name: str(value) for name, value in ids.items() if value is not None}
        return self._add("other_id", AFTER, others, rule)

    def endless_list(self, *, cycle: int | None = None, **rule: Any) -> Fault:
        """Send the first page again and again, as if there were more.

        Args:
            cycle: How many cursors follow each other in a circle; None for ever new ones.
            **rule: The keywords of ``Fault``.
        """
        if cycle is not None and cycle < 1:
            raise ValueError(f"cycle must be at least 1, not {cycle!r}")
        return self._add("endless_list", AFTER, {"cycle": cycle}, rule)

    def stray(
        self,
        status: int,
        body: Any = "",
        *,
        headers: Mapping[str, str] | None = None,
        after: float = 0.05,
        **rule: Any,
    ) -> Fault:
        """Send a reply that nobody asked for, on the same connection, after the real one.

        Args:
            status, body, headers: As for ``status``.
            after: Emulator seconds after the real reply.
            **rule: The keywords of ``Fault``.
        """
        options = {**_reply(status, body, headers), "after": after}
        return self._add("stray", AFTER, options, rule)

    def double(self, *, after: float = 0.05, **rule: Any) -> Fault:
        """Send the reply once more on the same connection, ``after`` emulator seconds."""
        return self._add("double", AFTER, {"after": after}, rule)

    def clear(self) -> None:
        """Drop all rules."""
        self.rules.clear()

    def select(self, endpoint: str) -> list[Fault]:
        """Return the rules that hit this request."""
        return [rule for rule in self.rules if rule.hits(endpoint, self._rng)]

    def _add(self, kind: str, effect: str, options: dict[str, Any], rule: dict[str, Any]) -> Fault:
        if "effect" in rule:
            raise TypeError(f"{kind} takes no effect: it changes the reply")
        fault = Fault(kind, effect=effect, options=options, **rule)
        check_endpoint(fault.on)
        self.rules[:] = [rule for rule in self.rules if rule.times != 0]  # they are spent
        self.rules.append(fault)
        return fault


def _reply(status: int, body: Any, headers: Mapping[str, str] | None) -> dict[str, Any]:
    if not isinstance(status, int):
        raise TypeError(f"status must be a number such as 502, not {status!r}")
    if not _MIN_STATUS <= status <= _MAX_STATUS:
        raise ValueError(f"status must be from {_MIN_STATUS} to {_MAX_STATUS}, not {status}")
    titled = {name.title(): value for name, value in (headers or {}).items()}
    return {"status": status, "body": body, "headers": titled}
