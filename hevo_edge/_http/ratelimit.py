"""The call budget as a user states it, and who goes first when calls are short."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import IntEnum
from math import ceil

from hevo_edge._common import validation
from hevo_edge.errors import ConfigurationError


class Priority(IntEnum):
    """Who goes first when calls are short; the lowest value is served first."""

    CANCEL = 0
    """Cancels."""
    TRIGGER = 1
    """The POST of a trigger, and everything else that changes something."""
    DISCOVERY = 2
    """Reads before and after a trigger, and the final poll at a deadline."""
    POLL = 3
    """Polls of awaited Jobs, and for the next run of a Pipeline."""
    LIST = 4
    """All other reads."""


_RESERVED_PARTS = {
    Priority.CANCEL: 0.0,
    Priority.TRIGGER: 0.02,
    Priority.DISCOVERY: 0.05,
    Priority.POLL: 0.10,
    Priority.LIST: 0.10,
}


@dataclass(frozen=True)
class RateLimit:
    """At most so many calls in any period.

    A tenth of the calls, and one at least, is kept back from polls and lists, so that a cancel or a
    trigger need not wait for the window to move; the last of them is for cancels alone.

    Args:
        calls: Calls in any period, for everything that shares the API key's user.
        period: The period in seconds.
        margin: Seconds added to the period, for clocks that tick differently.
        shared: Share the calls with the other processes of this machine: True, for those of this
            user that talk to the same account; or the path of a file. It is made for this user
            alone; one that is there already is shared by all who may read and write it.

    Raises:
        ConfigurationError: for numbers that make no sense.
    """

    calls: int = 100
    period: float = 60.0
    margin: float = 0.1
    shared: bool | str | os.PathLike[str] = False

    def __post_init__(self) -> None:
        set_field = object.__setattr__  # the dataclass is frozen
        set_field(self, "calls", validation.count(self.calls, "RateLimit.calls"))
        set_field(self, "period", validation.seconds(self.period, "RateLimit.period"))
        set_field(self, "margin", validation.timeout(self.margin, "RateLimit.margin"))
        if not isinstance(self.shared, (bool, str, os.PathLike)) or self.shared == "":
            raise ConfigurationError(
                f"RateLimit.shared must be True, False or the path of a file, not {self.shared!r}"
            )

    def ceiling(self, priority: Priority) -> int:
        """Return how many calls of the window may be taken when one of ``priority`` is next."""
        # In whole calls: of a budget below ten, one is kept for cancels.
        return max(1, self.calls - ceil(self.calls * _RESERVED_PARTS[priority]))
