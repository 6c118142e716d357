"""Other interpreters, each bounded in time, for what only real processes show."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def python(code: str, *arguments: object, seconds: float) -> Iterator[subprocess.Popen[str]]:
    """Run some code in another interpreter, whose warnings are errors; kill it in the end."""
    command = [sys.executable, "-W", "error", "-c", code, *map(str, arguments)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as running:
        bound = threading.Timer(seconds, running.kill)
        bound.start()
        try:
            yield running
        finally:
            bound.cancel()
            running.kill()


def line(running: subprocess.Popen[str]) -> str:
    """Return the next line that it writes."""
    assert running.stdout
    return running.stdout.readline().strip()
