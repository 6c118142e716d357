"""What an error says on the command line: options and commands, where the package names Python."""

from __future__ import annotations

import re
import shlex

from hevo_edge._command_line.parser import PROG
from hevo_edge.errors import HevoError

_JOINED = {"join": "joining", "wait": "waiting for", "replace": "replacing"}
_TABLE: tuple[tuple[str, str], ...] = (
    # Its outcome.
    (r"\bsee Job\.list_objects\(\) for which", f"{PROG} objects REF shows which"),
    (
        r"\bpass accept_completed_with_failures=True\b",
        f"{PROG} objects REF shows which objects failed; pass --accept-completed-with-failures",
    ),
    (r'\baccept=\("([^"]*)",\)', r"--accept \1"),
    (r"\b(check the ids) and base_url\b", r"\1 and the region"),
    (r"\bregion or base_url\b", "the region"),
    # What runs already.
    (r'\bif_running="join", "replace" or "wait"', "--if-running join, replace or wait"),
    (r'\bif_running="replace" or "wait"', "--if-running replace or wait"),
    *((rf'\bif_running="{each}" could', f"{verb} it could") for each, verb in _JOINED.items()),
    (r" \(Pipeline\.enable\)", ""),
    (r" \(include_objects includes it\)", "; include it in Hevo"),
    # What may have been started.
    (
        r"\bHevoClient\.reconcile\(error\.ticket\) searches again",
        f"{PROG} wait --ticket FILE searches again",
    ),
    (
        r"\bHevoClient\.reconcile\(error\.ticket\) returns its handle",
        f"{PROG} wait waits for it",
    ),
    (r"\bwhen it returns None, none\b", "when it finds no Job, none"),
    (r'\bHevoClient\.job\("([^"]*)"\)', rf"{PROG} wait \1"),
    (r": leave job_type out to take any\b", ", of another type"),
    (
        r", unless only the key was renewed and you pass ticket\.model_copy\([^)]*\)",
        "; is it that of another --profile?",
    ),
    (r"\bthis is not a TriggerTicket of", "this is no ticket of"),
    # Settings.
    (r"; use https, or pass insecure=True if the network is trusted", "; use https"),
    (r"\btrust_env=False leaves it out", "NO_PROXY leaves hosts out"),
    (r"\. HevoClient\.send reads single pages, [^;]*", ""),
    (
        r"\bif Hevo does not understand the body, pass another dialect to HevoClient",
        f"does Hevo's API differ from the one that this {PROG} knows?",
    ),
)
_PATTERNS = tuple((re.compile(pattern), words) for pattern, words in _TABLE)
_REF = re.compile(rf"(?<={PROG} objects )REF\b")


def wording(error: BaseException, profile: str | None = None) -> str:
    """Return an error's message for someone who has a shell and no Python.

    Args:
        error: The error.
        profile: The profile to name in the commands that it advises.
    """
    text = in_options(str(error))
    job = error.job if isinstance(error, HevoError) else None
    if job is None:
        return text
    named = [] if profile is None else ["--profile", profile]
    target = shlex.join([*named, job.ref])
    return _REF.sub(lambda _: target, text)


def reason_of(error: Exception) -> str:
    """Return why something cannot be read or written, without its path and the number of errno."""
    strerror = error.strerror if isinstance(error, OSError) else None
    return str(error) if strerror is None else strerror.lower()


def in_options(text: str) -> str:
    """Return a message with the options and commands that it means."""
    for pattern, words in _PATTERNS:
        text = pattern.sub(words, text)
    return text
