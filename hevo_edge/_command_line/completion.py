"""Scripts that complete commands and options in a shell, made from the parser."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator

from hevo_edge._command_line.parser import PROG

_BASH = """\
_hevo_edge() {{
  local current="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}"
  local command="" words="" place
  for (( place = 1; place < COMP_CWORD; place++ )); do
    case "${{COMP_WORDS[place]}}" in
      {names}) command="${{COMP_WORDS[place]}}"; break ;;
    esac
  done
  case "$command" in
{options}
    *) words="{commands}" ;;
  esac
  case "$command $previous" in
{values}
  esac
  COMPREPLY=( $(compgen -W "$words" -- "$current") )
}}
complete -o default -F _hevo_edge {prog}
"""


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """Return the script of a shell: bash, zsh or fish."""
    commands = _commands(parser)
    if shell == "fish":
        return "\n".join(_fish(commands)) + "\n"
    bash = _bash(parser, commands)
    # zsh has bash's completion built in.
    return f"autoload -U +X bashcompinit && bashcompinit\n{bash}" if shell == "zsh" else bash


def _bash(parser: argparse.ArgumentParser, commands: dict[str, argparse.ArgumentParser]) -> str:
    options = [
        f'    {name}) words="{" ".join(_words(each))}" ;;' for name, each in commands.items()
    ]
    values = [
        f'    "{name} {flag}") words="{" ".join(map(str, action.choices or ()))}" ;;'
        for name, each in commands.items()
        for action in _actions(each)
        for flag in action.option_strings
        if action.choices
    ]
    return _BASH.format(
        names="|".join(commands),
        options="\n".join(options),
        values="\n".join(values),
        commands=" ".join([*commands, *_flags(parser)]),
        prog=PROG,
    )


def _fish(commands: dict[str, argparse.ArgumentParser]) -> Iterator[str]:
    for name, each in commands.items():
        summary = shlex.quote(each.description or "")
        yield f"complete -c {PROG} -f -n __fish_use_subcommand -a {name} -d {summary}"
    for name, each in commands.items():
        condition = f"complete -c {PROG} -n '__fish_seen_subcommand_from {name}'"
        for action in _actions(each):
            about = f"-d {shlex.quote(action.help or '')}"
            choices = shlex.quote(" ".join(map(str, action.choices or ())))
            takes = "" if action.nargs == 0 else f" -x -a {choices}" if action.choices else " -r"
            for flag in action.option_strings:
                kind = f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}"
                yield f"{condition} {kind}{takes} {about}"
            if not action.option_strings and action.choices:
                yield f"{condition} -f -a {choices}"


def _commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    # The emulator reads its options itself.
    from hevo_edge.emulator.__main__ import parser as of_emulator  # noqa: PLC0415 -- heavy

    for action in _actions(parser):
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 -- has no public name
            described = of_emulator(f"{PROG} emulator")
            described.description = action.choices["emulator"].description
            return {**action.choices, "emulator": described}
    return {}


def _words(parser: argparse.ArgumentParser) -> list[str]:
    choices = [
        str(choice)
        for action in _actions(parser)
        if not action.option_strings and action.choices
        for choice in action.choices
    ]
    return choices + _flags(parser)


def _flags(parser: argparse.ArgumentParser) -> list[str]:
    return [flag for action in _actions(parser) for flag in action.option_strings]


def _actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return parser._actions  # noqa: SLF001 -- there is no public way to list them
