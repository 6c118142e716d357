"""What the exit codes mean, and which error has which. They are stable."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended; 128 plus a signal's number when a signal ended it."""

    SUCCESS = 0
    ERROR = 1
    """The tool or the API failed."""
    USAGE = 2
    """The command or its settings are wrong; nothing was sent."""
    TIMEOUT = 3
    """The time-out passed first."""
    DENIED = 4
    """Hevo refused the key, or its role does not allow this."""
    FAILED = 5
    """The Job ended, but not well."""
    UNKNOWN = 6
    """A run was, or may have been, started, and its Job is not known."""
    INTERRUPTED = 130
    """Ctrl-C."""
    TERMINATED = 143
    """SIGTERM."""


WORST_FIRST = (
    ExitCode.UNKNOWN,
    ExitCode.DENIED,
    ExitCode.ERROR,
    ExitCode.TIMEOUT,
    ExitCode.FAILED,
    ExitCode.USAGE,
    ExitCode.SUCCESS,
)
"""Of several Pipelines, the first of these that occurred is the exit code: what a second try must
not ignore comes first."""


def worst(codes: Iterable[int]) -> int:
    """Return the exit code of several endings."""
    return min(codes, key=WORST_FIRST.index, default=ExitCode.SUCCESS)


def exit_code_of(error: BaseException) -> ExitCode:
    """Return the exit code of an error."""
    from hevo_edge import errors  # noqa: PLC0415 -- not needed for --help

    table: tuple[tuple[type[Exception] | tuple[type[Exception], ...], ExitCode], ...] = (
        (errors.ConfigurationError, ExitCode.USAGE),
        (errors.TriggerError, ExitCode.UNKNOWN),
        ((errors.JobTimeout, errors.TriggerTimeout), ExitCode.TIMEOUT),
        ((errors.AuthenticationError, errors.PermissionDenied), ExitCode.DENIED),
        (errors.JobDidNotSucceed, ExitCode.FAILED),
    )
    return next((code for kinds, code in table if isinstance(error, kinds)), ExitCode.ERROR)


def outcome_name(code: int) -> str:
    """Return the word for an exit code that stands in JSON."""
    return "interrupted" if code >= 128 else ExitCode(code).name.lower()  # noqa: PLR2004
