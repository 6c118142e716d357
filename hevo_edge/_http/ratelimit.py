"""The call budget as a user states it, and who goes first when calls are short."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, fields
from enum import IntEnum
from math import ceil
from typing import TYPE_CHECKING

from hevo_edge._common import validation
from hevo_edge._http.redis_url import check_path, url_in
from hevo_edge.errors import ConfigurationError

if TYPE_CHECKING:
    from typing_extensions import Self

_NAME = re.compile(r"[A-Za-z0-9_.:/-]{1,100}")


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


@dataclass(frozen=True, repr=False)
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
            alone; one that is there already is shared by all who may read and write it. Or with
            other machines, through a Redis or Valkey: its URL (``redis://``, ``rediss://``,
            ``unix://``, ``redis+sentinel://``), with ``pip install 'hevo-edge[redis]'``.
        shared_name: What the window is called in that Redis. By default it is named after address
            and API key; two keys of one user need one name to share a window.
        fallback_share: The part of the calls that a process keeps to by itself while that Redis
            cannot be used: above 0, up to 1. By default one divided by the clients last seen, and
            a half at most.

    Raises:
        ConfigurationError: for numbers that make no sense.
    """

    calls: int = 100
    period: float = 60.0
    margin: float = 0.1
    shared: bool | str | os.PathLike[str] = False
    shared_name: str | None = None
    fallback_share: float | None = None

    def __post_init__(self) -> None:
        set_field = object.__setattr__  # the dataclass is frozen
        set_field(self, "calls", validation.count(self.calls, "RateLimit.calls"))
        set_field(self, "period", validation.seconds(self.period, "RateLimit.period"))
        set_field(self, "margin", validation.timeout(self.margin, "RateLimit.margin"))
        if not isinstance(self.shared, (bool, str, os.PathLike)) or self.shared == "":
            raise ConfigurationError(
                "RateLimit.shared must be True, False, the path of a file or the URL of a Redis, "
                f"not {self.shared!r}"
            )
        if url_in(self.shared) is None:
            check_path(self.shared)
        if url_in(self.shared) is None and (self.shared_name, self.fallback_share) != (None, None):
            raise ConfigurationError(
                "RateLimit.shared_name and RateLimit.fallback_share need the URL of a Redis in "
                "RateLimit.shared"
            )
        name, share = self.shared_name, self.fallback_share
        if name is not None and not (isinstance(name, str) and _NAME.fullmatch(name)):
            raise ConfigurationError(
                "RateLimit.shared_name must be 1 to 100 letters, digits and any of _.:/-, "
                f"not {name!r}"
            )
        is_number = isinstance(share, (int, float)) and not isinstance(share, bool)
        if share is not None and not (is_number and 0 < share <= 1):
            raise ConfigurationError(
                f"RateLimit.fallback_share must be above 0, and 1 at most, not {share!r}"
            )

    def __repr__(self) -> str:
        url = url_in(self.shared)
        shared = self.shared if url is None else url.shown
        options = [f"calls={self.calls}, period={self.period}, margin={self.margin}"]
        options += [f"shared={shared!r}"]
        if self.shared_name is not None:
            options.append(f"shared_name={self.shared_name!r}")
        if self.fallback_share is not None:
            options.append(f"fallback_share={self.fallback_share}")
        return f"RateLimit({', '.join(options)})"

    def __reduce__(self) -> tuple[object, ...]:
        url = url_in(self.shared)
        if url is not None and url.has_secrets:
            raise TypeError(
                "a RateLimit whose URL holds a password is not picklable: make it in the other "
                "process, of a URL from its environment"
            )
        values = tuple(getattr(self, each.name) for each in fields(self))
        return type(self), values

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def ceiling(self, priority: Priority) -> int:
        """Return how many calls of the window may be taken when one of ``priority`` is next."""
        # In whole calls: of a budget below ten, one is kept for cancels.
        return max(1, self.calls - ceil(self.calls * _RESERVED_PARTS[priority]))
