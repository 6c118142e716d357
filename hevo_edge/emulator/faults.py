"""Rules by which the emulator misbehaves."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

BEFORE, AFTER = "before", "after"


@dataclass
class Fault:
    """One rule: what goes wrong, where, when and how often.

    Attributes:
        kind: What goes wrong; the methods of ``Faults`` say it.
        on: An endpoint's name, a pattern such as ``"*_now"``, or ``"*"``.
        effect: Whether it strikes ``"before"`` or ``"after"`` the endpoint has taken effect.
        times: How many requests it hits; None for all.
        skip: How many matching requests pass unharmed first.
        probability: The chance that it hits a matching request.
        options: What else the kind needs.
    """

    kind: str
    on: str = "*"
    effect: str = BEFORE
    times: int | None = 1
    skip: int = 0
    probability: float = 1.0
    options: dict[str, Any] = field(default_factory=dict)

    def strikes(self, endpoint: str, chance: random.Random) -> bool:
        """Tell whether it hits this request, and count."""
        if self.times == 0 or not fnmatchcase(endpoint, self.on):
            return False
        if self.probability < 1.0 and chance.random() >= self.probability:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


class Faults:
    """The rules of an emulator. Each method adds one and returns it; ``clear`` drops all.

    Every method takes the keywords of ``Fault``: ``on``, ``times``, ``skip``, ``probability``,
    and those that can strike before or after the effect take ``effect``.
    """

    def __init__(self, chance: random.Random, endpoints: Sequence[str]) -> None:
        self.rules: list[Fault] = []
        self._chance = chance
        self._endpoints = endpoints

    def delay(self, seconds: float, *, effect: str = BEFORE, **rule: Any) -> Fault:
        """Hold the request (before its effect) or the reply (after) for emulator seconds."""
        return self._add("delay", effect, {"seconds": seconds}, rule)

    def drop(self, *, effect: str = BEFORE, **rule: Any) -> Fault:
        """Cut the connection without a reply."""
        return self._add("drop", effect, {}, rule)

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
        if not isinstance(status, int):
            raise TypeError(f"status must be a number such as 502, not {status!r}")
        options = {"status": status, "body": body, "headers": dict(headers or {})}
        return self._add("status", effect, options, rule)

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

    def unknown_value(self, name: str, value: str = "NEVER_SEEN_BEFORE", **rule: Any) -> Fault:
        """Set a field to a value that nobody knows, in the reply and in every row of a list."""
        return self._add("unknown_value", AFTER, {"name": name, "value": value}, rule)

    def missing_field(self, name: str, **rule: Any) -> Fault:
        """Leave a field out, of the reply and of every row of a list."""
        return self._add("missing_field", AFTER, {"name": name}, rule)

    def clear(self) -> None:
        """Drop all rules."""
        self.rules.clear()

    def striking(self, endpoint: str) -> list[Fault]:
        """Return the rules that hit this request."""
        return [rule for rule in self.rules if rule.strikes(endpoint, self._chance)]

    def _add(self, kind: str, effect: str, options: dict[str, Any], rule: dict[str, Any]) -> Fault:
        if effect not in {BEFORE, AFTER}:
            raise ValueError(f"effect must be 'before' or 'after', not {effect!r}")
        fault = Fault(kind, effect=effect, options=options, **rule)
        if not any(fnmatchcase(endpoint, fault.on) for endpoint in self._endpoints):
            raise ValueError(f"no endpoint is named {fault.on!r}: {', '.join(self._endpoints)}")
        self.rules.append(fault)
        return fault


def edit(body: Any, fault: Fault) -> Any:
    """Apply ``unknown_value`` or ``missing_field`` to a body and to its rows."""
    if isinstance(body, list):
        return [edit(row, fault) for row in body]
    if not isinstance(body, dict):
        return body
    name = fault.options["name"]
    changed = {key: edit(value, fault) if key == "data" else value for key, value in body.items()}
    if name in changed:
        if fault.kind == "missing_field":
            del changed[name]
        else:
            changed[name] = fault.options["value"]
    return changed
