"""From the arguments to the exit code."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from hevo_edge._command_line.exit_codes import ExitCode
from hevo_edge._command_line.parser import COMMON_DEFAULTS, PROG, build
from hevo_edge._command_line.streams import finish

if TYPE_CHECKING:
    from hevo_edge._command_line.output import Console

MODULES = {
    "sync": "runs",
    "resync": "runs",
    "recover": "recovery",
    "wait": "jobs",
    "cancel": "jobs",
    "jobs": "jobs",
    "status": "overview",
    "objects": "overview",
    "top": "overview",
    "check": "overview",
    "budget": "budget",
}
"""The module of each command that talks to Hevo; its function is called like the command."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``hevo-edge``, and return its exit code.

    Args:
        arguments: What follows the command's name; by default those of the process.

    Raises:
        SystemExit: by argparse, after ``--help`` and for wrong arguments (2).
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["emulator"]:
        return _emulator(given[1:])
    try:
        options = Namespace(**{**COMMON_DEFAULTS, **vars(build().parse_args(given))})
        return int(_run(options))
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    finally:
        finish()


def _run(options: Namespace) -> int:
    from hevo_edge._command_line.output import Console  # noqa: PLC0415 -- not needed for --help

    console = Console(as_json=options.json, is_quiet=options.quiet)
    if options.command == "completion":
        completion = import_module("hevo_edge._command_line.completion")
        console.text(completion.script(build(), options.shell).rstrip())
        return _unless_lost(ExitCode.SUCCESS, console)
    from hevo_edge._command_line.interrupts import (  # noqa: PLC0415 -- not needed for --help
        Interrupted,
        Interrupts,
    )

    interrupts = Interrupts()
    try:
        with interrupts.before_the_loop(), _logging(options, console):
            return _unless_lost(_command(options, console, interrupts), console)
    except Interrupted as error:
        what, code = "interrupted; nothing was sent", 128 + error.number
        console.say(what)
        results = import_module("hevo_edge._command_line.results")
        results.write_unstarted(console, options, code, what)
        return code


def _unless_lost(code: int, console: Console) -> int:
    """Return a code, or that of an error when nothing else went wrong than writing the result."""
    return ExitCode.ERROR if console.is_lost and code == ExitCode.SUCCESS else code


def _command(options: Namespace, console: Console, interrupts: Any) -> int:
    module = import_module(f"hevo_edge._command_line.{MODULES[options.command]}")
    session = import_module("hevo_edge._command_line.session")
    try:
        command = getattr(module, options.command)
        return int(session.run(command, options, console, interrupts))
    except Exception as error:  # noqa: BLE001 -- a traceback is shown with --debug only
        return int(session.failed(error, options, console))


def _emulator(arguments: list[str]) -> int:
    from hevo_edge.emulator.__main__ import main as serve  # noqa: PLC0415 -- it loads aiohttp

    return serve(arguments, prog=f"{PROG} emulator")


@contextmanager
def _logging(options: Namespace, console: Console) -> Iterator[None]:
    """Let the package's log records go to stderr, from DEBUG on with ``--debug``."""
    # Not needed for --help.
    import logging  # noqa: PLC0415

    from hevo_edge._command_line.notes import SAID_BY_THE_COMMAND  # noqa: PLC0415
    from hevo_edge._text.logger import get_logger  # noqa: PLC0415

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if options.debug:
                console.say(self.format(record))
            elif record.levelno < logging.WARNING:
                if not str(record.msg).startswith(SAID_BY_THE_COMMAND):
                    console.note(self.format(record))
            elif record.name != "hevo_edge.http" or console.tells_trouble:
                console.say(self.format(record))

    logger = get_logger("hevo_edge")
    handler, before = Handler(), (logger.level, logger.propagate)
    level = logging.WARNING if options.quiet else logging.INFO
    logger.setLevel(logging.DEBUG if options.debug else level)
    if options.debug:
        handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before[0])  # which forgets what loggers below it have found enabled
        logger.propagate = before[1]
