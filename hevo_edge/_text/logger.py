"""Loggers whose records are shown like everything else: one line each, bounded, without secrets."""

from __future__ import annotations

import logging

from hevo_edge._text.printable import printable


def get_logger(name: str) -> logging.Logger:
    """Return the logger of a name; whatever is passed to it, what it says is printable."""
    logger = logging.getLogger(name)
    if _PRINTABLE not in logger.filters:
        logger.addFilter(_PRINTABLE)
    return logger


class _Printable(logging.Filter):
    """Makes the arguments of a record printable; numbers stay numbers."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(map(_shown, record.args))
        return True


class _Shown:
    """An argument that is formatted by ``%s`` and ``%r`` as ``printable`` shows it."""

    __slots__ = ("_value",)

    def __init__(self, value: object) -> None:
        self._value = value

    def __str__(self) -> str:
        return printable(self._value)

    def __repr__(self) -> str:
        return printable(repr(self._value))


_PRINTABLE = _Printable()


def _shown(argument: object) -> object:
    if isinstance(argument, (int, float)):
        return argument
    # Who keeps log records would keep an error's frames, and what those hold.
    return _Shown(str(argument) if isinstance(argument, BaseException) else argument)
