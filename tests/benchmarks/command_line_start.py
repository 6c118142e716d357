"""How soon `hevo-edge --help` is there, beside a bare script with the same arguments.

Run it: python tests/benchmarks/command_line_start.py [--rounds 21]

The peer is written from the parser itself: argparse, the same commands and options, nothing else.
Both run in turn as new processes, and what is compared are medians; the goal is at most 1.5. Then
`import hevo_edge` and `import hevo_edge._command_line` beside `import argparse`, in milliseconds over a bare
interpreter.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from hevo_edge._command_line.parser import build

HEVO_EDGE = ("-c", "import sys; from hevo_edge._command_line import main; sys.exit(main())")
LINES = (["--help"], ["sync", "--help"], ["--version"])
IMPORTS = ("argparse", "hevo_edge", "hevo_edge._command_line")


def bare_script() -> str:
    """Return a script with the same commands and options."""
    parser = build()
    lines = ["import argparse", f"parser = argparse.ArgumentParser(prog={parser.prog!r})"]
    lines += [f"parser.description = {parser.description!r}"]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            lines.append("commands = parser.add_subparsers(dest='command', required=True)")
            for name, each in action.choices.items():
                about = each.description
                lines.append(f"command = commands.add_parser({name!r}, help={about!r})")
                lines += [_add("command", option) for option in each._actions]
        else:
            lines.append(_add("parser", action))
    return "\n".join([*filter(None, lines), "parser.parse_args()", ""])


def _add(parser: str, action: argparse.Action) -> str:
    if isinstance(action, argparse._HelpAction):
        return ""
    kinds = {
        argparse._StoreTrueAction: "'store_true'",
        argparse._AppendAction: "'append'",
        argparse._VersionAction: "'version', version='1'",
        argparse.BooleanOptionalAction: "argparse.BooleanOptionalAction",
    }
    flags = action.option_strings or [action.dest]
    if isinstance(action, argparse.BooleanOptionalAction):
        flags = flags[:1]
    words: list[str] = [repr(flag) for flag in flags]
    if type(action) in kinds:
        words.append(f"action={kinds[type(action)]}")
    options: dict[str, Any] = {"help": action.help, "choices": action.choices}
    if action.nargs in {"*", "?"}:
        options["nargs"] = action.nargs
    words += [f"{name}={value!r}" for name, value in options.items() if value is not None]
    return f"{parser}.add_argument({', '.join(words)})"


def seconds(*arguments: str) -> float:
    """Return how long a new interpreter takes."""
    began = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def compare(rounds: int, *sides: tuple[str, ...]) -> list[float]:
    """Return the median of each side, in ms; they run in turn."""
    taken: list[list[float]] = [[] for _ in sides]
    for _ in range(rounds):
        for times, side in zip(taken, sides, strict=True):
            times.append(seconds(*side))
    return [statistics.median(times) * 1000 for times in taken]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--rounds", type=int, default=21)
    rounds = options.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "bare.py")
        script.write_text(bare_script())
        for line in LINES:
            ours, bare = compare(rounds, (*HEVO_EDGE, *line), (str(script), *line))
            shown = " ".join(line)
            print(f"hevo-edge {shown}: {ours:.1f} ms, bare: {bare:.1f} ms, ratio {ours / bare:.2f}")
    statements = [("-c", "pass"), *(("-c", f"import {name}") for name in IMPORTS)]
    nothing, *imports = compare(rounds, *statements)
    for name, taken in zip(IMPORTS, imports, strict=True):
        print(f"import {name}: {taken - nothing:.1f} ms")


if __name__ == "__main__":
    main()
