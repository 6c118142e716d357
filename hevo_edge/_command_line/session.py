"""A command that runs: its options, its client, what it has started, and how it ends."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any, TypeVar

from hevo_edge import HevoClient, RateLimit
from hevo_edge._command_line.exit_codes import exit_code_of
from hevo_edge._command_line.interrupts import Interrupts
from hevo_edge._command_line.notes import WaitNotes
from hevo_edge._command_line.output import Console
from hevo_edge._command_line.parser import PROG
from hevo_edge._command_line.profiles import settings
from hevo_edge._command_line.results import write_unstarted
from hevo_edge._command_line.started import StartedRun, cancel_all
from hevo_edge._command_line.wording import wording
from hevo_edge.errors import AuthenticationError, HevoError
from hevo_edge.orchestration import Account
from hevo_edge.orchestration.account import shared_limit

T = TypeVar("T")
R = TypeVar("R")
SIGNALLED = 128
AT_ONCE = 10
"""How many Pipelines are read at once."""
TOP_CALLS = 50
"""Calls a minute of ``top``, which runs for hours: half of the account's are left to others."""


class Session:
    """What a command works with.

    Attributes:
        options: The parsed options.
        console: Both streams.
        hevo: The client.
        account: The fingerprint of its account.
        started: The runs that it has started, or waits for.
    """

    def __init__(
        self,
        options: Namespace,
        console: Console,
        hevo: HevoClient,
        interrupts: Interrupts,
        account: str,
    ) -> None:
        self._interrupts = interrupts
        self.options = options
        self.console = console
        self.hevo = hevo
        self.account = account
        self.started: list[StartedRun] = []

    def start(self, pipeline_id: int, *, is_given: bool = False) -> StartedRun:
        """Begin a run, which is mentioned from now on if the command ends before it."""
        run = StartedRun(pipeline_id, self.console, self.options.profile, is_given=is_given)
        self.started.append(run)
        return run

    @property
    def interrupted_code(self) -> int:
        """The exit code of a command that a signal ended."""
        return SIGNALLED + (self._interrupts.number or 0)

    def report(self, error: Exception) -> int:
        """Say what went wrong, in one line, and return its exit code."""
        return report(error, self.options, self.console)

    async def each(
        self, work: Callable[[T], Awaitable[R]], items: Iterable[T], at_once: int = AT_ONCE
    ) -> list[R | HevoError]:
        """Work on several, a few at once; an error stands in its item's place.

        Raises:
            AuthenticationError: at once, because all the others would get it too.
        """
        limit = asyncio.Semaphore(at_once)

        async def one(item: T) -> R | HevoError:
            async with limit:
                try:
                    return await work(item)
                except AuthenticationError:
                    raise
                except HevoError as error:
                    return error

        tasks = [asyncio.ensure_future(one(item)) for item in items]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def report(error: Exception, options: Namespace, console: Console) -> int:
    """Say what went wrong, in one line, and return its exit code."""
    if isinstance(error, HevoError):
        console.say(wording(error, options.profile))
    else:
        console.say(f"unexpected {type(error).__name__}: {error}; see --debug")
    if options.debug:
        console.traceback(error)
    return exit_code_of(error)


def failed(error: Exception, options: Namespace, console: Console) -> int:
    """Say what went wrong before any run began, as a result too; return its exit code."""
    code = report(error, options, console)
    write_unstarted(console, options, code, wording(error, options.profile))
    return code


Command = Callable[[Session], Coroutine[Any, Any, int]]


def run(command: Command, options: Namespace, console: Console, interrupts: Interrupts) -> int:
    """Run a command in an event loop of its own, and return its exit code."""
    calls = TOP_CALLS if options.command == "top" else 100
    given = settings(options.profile)
    store, name = given.pop("rate_limit_store"), given.pop("rate_limit_name")
    # Each command is a process, and the next one comes soon.
    if store or name:
        limit = RateLimit(calls, shared=store or False, shared_name=name)
    else:
        limit = shared_limit(calls)
    return asyncio.run(_run(command, options, console, interrupts, {**given, "rate_limit": limit}))


async def _run(
    command: Command,
    options: Namespace,
    console: Console,
    interrupts: Interrupts,
    arguments: dict[str, Any],
) -> int:
    async with HevoClient(**arguments, observer=WaitNotes(console)) as hevo:
        account = Account(f"{arguments['api_key']}".strip(), "", hevo.base_url).fingerprint
        session = Session(options, console, hevo, interrupts, account)
        interrupts.last_words = lambda: [f"{PROG}: {words}" for words in _last_words(session)]
        task = asyncio.ensure_future(command(session))
        interrupts.cancel(task)
        await asyncio.wait({task})
        error = asyncio.CancelledError() if task.cancelled() else task.exception()
        if error is None:
            code = task.result()
        elif interrupts.number is not None:
            code = session.interrupted_code
            await _interrupted(session)
        elif not isinstance(error, Exception):
            raise error
        elif session.started:
            code = session.report(error)
        else:
            code = failed(error, options, console)
        for words in _last_words(session, with_given=interrupts.number is not None):
            console.say(words)
        for run in session.started:
            run.release()
        return code


async def _interrupted(session: Session) -> None:
    """Say so, and cancel what was started if that is wanted; a second signal ends it at once."""
    wants_cancel = getattr(session.options, "cancel_on_interrupt", False)
    runs = [run for run in session.started if run.may_run]
    if not runs:
        nothing = "; nothing was started" if hasattr(session.options, "if_running") else ""
        session.console.say(f"interrupted{nothing}")
    elif wants_cancel:
        session.console.say("interrupted; cancelling, a second signal leaves at once")
        await cancel_all(runs, session.hevo)
    else:
        session.console.say("interrupted")


def _last_words(session: Session, *, with_given: bool = True) -> list[str]:
    may_run = [run for run in session.started if run.may_run]
    if getattr(session.options, "wait", None) is False:
        # Its Job is the result, and is not waited for.
        may_run = [run for run in may_run if run.job is None]
    return [run.last_words for run in may_run if with_given or not run.is_given]
