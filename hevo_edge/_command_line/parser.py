"""The commands and their options. Loads nothing but argparse."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from hevo_edge._command_line import values
from hevo_edge._command_line.exit_codes import ExitCode
from hevo_edge._command_line.streams import write
from hevo_edge._version import __version__

PROG = "hevo-edge"
COMMON_DEFAULTS: dict[str, Any] = {"json": False, "quiet": False, "debug": False, "profile": None}
"""What these are where they are not given; they stand before the command or after it."""
_EPILOG = """exit codes: 0 success, 1 the tool or the API failed, 2 usage, 3 timed out,
4 authentication or permission, 5 the Job ended badly, 6 the outcome of the
trigger is unknown, 130 Ctrl-C, 143 SIGTERM"""

_WHAT = {"ID": "Pipeline", "REF": "Job"}


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, and whose streams may be missing or closed."""

    def error(self, message: str) -> NoReturn:
        """Say in one line what is wrong, and exit."""
        from hevo_edge._text.printable import printable  # noqa: PLC0415 -- not needed for --help

        self.exit(ExitCode.USAGE, f"{PROG}: {printable(message)}; see {self.prog} --help\n")

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Parse; what is too much is refused by the command that got it, as only that knows why."""
        options, left = self.parse_known_args(args, namespace)
        if left:
            command: Parser = self._subparsers._group_actions[0].choices[options.command]  # type: ignore[union-attr,index]  # noqa: SLF001
            command.error(_too_much(command, options, left))
        return options

    def _print_message(self, message: str, file: Any = None) -> None:
        if message:
            write(sys.stderr if file is None else file, message)


def _too_much(command: argparse.ArgumentParser, options: Any, left: list[str]) -> str:
    """Say why these arguments are too much; for a second id, what to do instead."""
    for action in command._actions:  # noqa: SLF001 -- there is no public way to list them
        is_one = not action.option_strings and action.nargs in {None, "?"}
        if is_one and action.metavar and not any(each.startswith("-") for each in left):
            ids = shlex.join([str(getattr(options, action.dest)), *left])
            what = _WHAT.get(str(action.metavar), action.metavar)
            return (
                f"{options.command} takes one {what}; for several, write a loop: "
                f"for id in {ids}; do {command.prog} $id; done"
            )
    return f"unrecognized arguments: {' '.join(left)}"


def build() -> Parser:
    """Return the parser of the command line."""
    common = _common()
    parser = Parser(
        prog=PROG,
        description="Trigger, await and look after Hevo Edge Pipelines.",
        epilog=_EPILOG,
        parents=[common],
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"{PROG} {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def add(name: str, summary: str, **options: Any) -> Parser:
        made: Parser = commands.add_parser(
            name, help=summary, description=summary, parents=[common], allow_abbrev=False, **options
        )
        return made

    _add_runs(add)
    _add_jobs(add)
    _add_overviews(add)
    _add_tools(add)
    return parser


def _common() -> Parser:
    common = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    group = common.add_argument_group("common options")
    group.add_argument("--json", action="store_true", help="one JSON object a line on stdout")
    group.add_argument("-q", "--quiet", action="store_true", help="no progress on stderr")
    group.add_argument("--debug", action="store_true", help="log all calls; tracebacks of errors")
    group.add_argument(
        "--profile",
        metavar="NAME",
        type=values.profile_name,
        help="another account: HEVO_<NAME>_API_KEY and so on, else profiles.ini",
    )
    return common


def _add_runs(add: Any) -> None:
    sync = add("sync", "start a sync of each Pipeline, and wait for the Jobs")
    sync.add_argument("pipelines", metavar="ID", nargs="+", type=values.pipeline_id)
    _starting(sync)
    _waiting(sync)
    resync = add("resync", "start a resync, the historical load, and wait for its Job")
    resync.add_argument("pipeline", metavar="ID", type=values.pipeline_id)
    resync.add_argument(
        "--drop-and-load", action="store_true", help="drop and recreate the Destination tables"
    )
    resync.add_argument(
        "--object",
        dest="objects",
        metavar="NAME_OR_ID",
        action="append",
        default=[],
        help="only this object; may be repeated",
    )
    _starting(resync)
    _waiting(resync)
    recover = add("recover", "after an outage: sync what failed, or did not run, since then")
    recover.add_argument("pipelines", metavar="ID", nargs="*", type=values.pipeline_id)
    recover.add_argument(
        "--since", metavar="WHEN", type=values.moment, required=True, help="such as 2h"
    )
    recover.add_argument(
        "--max", metavar="N", type=values.count, default=3, help="syncs at once (3)"
    )
    recover.add_argument("--dry-run", action="store_true", help="only say which")
    _waiting(recover)


def _add_jobs(add: Any) -> None:
    wait = add("wait", "wait for a Job, or for what a Pipeline runs now or next")
    wait.add_argument("target", metavar="REF|ID", nargs="?", type=values.job_ref_or_pipeline_id)
    which = wait.add_mutually_exclusive_group()
    which.add_argument("--next", action="store_true", help="only a Job that starts from now on")
    which.add_argument(
        "--ended-since",
        metavar="WHEN",
        type=values.moment,
        help="also a Job that ended since: 2h, or 2026-11-25T06:00Z",
    )
    which.add_argument("--ticket", metavar="FILE", help="the Job of a trigger that was cut off")
    _waiting(wait, may_not_wait=False)
    cancel = add("cancel", "ask Hevo to cancel a Job")
    cancel.add_argument("ref", metavar="REF", type=values.job_ref)
    cancel.add_argument(
        "--wait", action=argparse.BooleanOptionalAction, default=False, help="until it has ended"
    )
    _limits(cancel)
    jobs = add("jobs", "list a Pipeline's Jobs, newest first")
    jobs.add_argument("pipeline", metavar="ID", type=values.pipeline_id)
    jobs.add_argument("--limit", metavar="N", type=values.count, default=20, help="at most (20)")
    jobs.add_argument("--status", metavar="S", help="only of this status, such as FAILED")
    jobs.add_argument("--type", metavar="T", help="only of this type, such as HISTORICAL")


def _add_overviews(add: Any) -> None:
    status = add("status", "Pipelines: the last Job, its outcome and age, what runs")
    status.add_argument("pipelines", metavar="ID", nargs="*", type=values.pipeline_id)
    objects = add("objects", "list a Pipeline's objects, or what a Job did with each")
    objects.add_argument("target", metavar="REF|ID", type=values.job_ref_or_pipeline_id)
    top = add("top", "what runs now, again and again")
    top.add_argument(
        "--interval", metavar="SECONDS", type=values.positive_duration, default=15.0, help="(15)"
    )
    top.add_argument("--once", action="store_true", help="once, and end")
    add("budget", "the call budget: what is used and free, and who uses it")
    add("check", "are key, region and network right?")


def _add_tools(add: Any) -> None:
    add("emulator", "an emulator of Hevo on this machine; its options: emulator --help")
    completion = add("completion", "print a script that completes commands and options")
    completion.add_argument("shell", choices=("bash", "zsh", "fish"))


def _starting(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--if-running",
        choices=("fail", "skip", "join", "wait", "replace"),
        default="fail",
        help="what to do while a Job of the Pipeline runs (fail); skip is a success",
    )


def _waiting(parser: argparse.ArgumentParser, *, may_not_wait: bool = True) -> None:
    if may_not_wait:
        parser.add_argument(
            "--wait",
            action=argparse.BooleanOptionalAction,
            default=True,
            help="wait for the Job's end; without, print its ref",
        )
    _limits(parser, values.positive_duration if may_not_wait else values.duration)
    parser.add_argument(
        "--accept-completed-with-failures", action="store_true", help="count that as success"
    )
    parser.add_argument(
        "--accept",
        metavar="STATUS",
        action="append",
        default=[],
        help="count this status as success; may be repeated",
    )
    parser.add_argument(
        "--cancel-on-interrupt", action="store_true", help="Ctrl-C and SIGTERM cancel the Job"
    )


def _limits(
    parser: argparse.ArgumentParser, duration: Callable[[str], float] = values.duration
) -> None:
    parser.add_argument("--timeout", metavar="2h", type=duration, help="for all of it; else none")
    parser.add_argument(
        "--poll-interval",
        metavar="15s",
        type=values.poll_interval,
        default=15.0,
        help="between polls, or auto, or eager (15)",
    )
