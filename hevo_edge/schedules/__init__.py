"""When to poll again: small pure objects, to pass as ``poll_interval``.

A schedule answers one question: a Job has this age, how long until the next poll? Anything with a
``gap(age)`` method will do. Needs the standard library only.
"""

from hevo_edge.schedules._basic import (
    LONGEST_GAP,
    Auto,
    Eager,
    Fixed,
    Geometric,
    PollInterval,
    Schedule,
    auto,
    eager,
    fixed,
    from_history,
    geometric,
)
from hevo_edge.schedules._learned import Learned

__all__ = [
    "LONGEST_GAP",
    "Auto",
    "Eager",
    "Fixed",
    "Geometric",
    "Learned",
    "PollInterval",
    "Schedule",
    "auto",
    "eager",
    "fixed",
    "from_history",
    "geometric",
]
