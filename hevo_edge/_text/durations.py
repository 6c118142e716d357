"""How a duration is written."""

from __future__ import annotations

_MINUTE, _HOUR = 60, 3600


def format_seconds(seconds: float) -> str:
    """Return a limit as its user gave it, ``20 s``, also where a little of it was used up."""
    return f"{round(seconds, 2):g} s"


def format_duration(seconds: float) -> str:
    """Return seconds in a short form: ``45s``, ``3m05s``, ``2h00m``."""
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole}s"
    if whole < _HOUR:
        return f"{whole // 60}m{whole % 60:02}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02}m"
