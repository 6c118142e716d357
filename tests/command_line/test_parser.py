"""Commands, options, help, completion."""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hevo_edge import __version__
from hevo_edge._command_line import completion
from hevo_edge._command_line.entry import MODULES
from hevo_edge._command_line.parser import build
from hevo_edge.emulator import HevoEmulator
from tests.command_line.support import CommandLine, command

COMMANDS = [*MODULES, "completion"]
HEAVY = {"aiohttp", "pydantic", "backoff", "asyncio", "hevo_edge.client", "hevo_edge.emulator"}


def loaded_by(*code: str) -> set[str]:
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            "-c",
            "; ".join([*code, "import sys; print(*sys.modules)"]),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    return set(done.stdout.splitlines()[-1].split())


def test_importing_it_loads_no_client() -> None:
    assert not HEAVY & loaded_by("import hevo_edge._command_line")


@pytest.mark.parametrize("arguments", [["--help"], ["sync", "--help"], ["sync"], ["--version"]])
def test_help_and_usage_errors_load_no_client(arguments: list[str]) -> None:
    run = (
        f"from hevo_edge._command_line import main\ntry: main({arguments})\nexcept SystemExit: pass"
    )
    assert not HEAVY & loaded_by(f"exec({run!r})")


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help(hevo_edge: CommandLine, name: str) -> None:
    code, out, err = hevo_edge(name, "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"usage: hevo-edge {name}")
    assert out.count("\n") > 8


def test_the_emulator_has_its_own_help(hevo_edge: CommandLine) -> None:
    code, out, err = hevo_edge("emulator", "--help")
    assert (code, err) == (0, "")
    assert "--speed" in out


def test_help_lists_all_commands_and_exit_codes(hevo_edge: CommandLine) -> None:
    code, out, _ = hevo_edge("--help")
    assert code == 0
    for name in [*COMMANDS, "emulator", "exit codes"]:
        assert re.search(rf"^ *{name}\b", out, re.MULTILINE)


def test_it_says_its_version(hevo_edge: CommandLine) -> None:
    assert hevo_edge("--version") == (0, f"hevo-edge {__version__}\n", "")


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["sinc", "123"],
        ["sync"],
        ["sync", "abc"],
        ["sync", "0"],
        ["sync", "123", "--timeout", "soon"],
        ["sync", "123", "--timeout", "0"],
        ["sync", "123", "--if-running", "maybe"],
        ["sync", "123", "--time", "2h"],  # no abbreviations: a new option would change them
        ["sync", "123", "--api-secret", "x"],  # no secret as an argument
        ["wait", "123:"],
        ["wait", "123", "--next", "--ended-since", "2h"],
        ["cancel", "123"],
        ["recover"],
        ["jobs", "123", "--limit", "0"],
        ["sync", "123", "--profile", "../x"],
        ["sync", "\x1b[31m\n"],
    ],
)
def test_what_is_wrong_is_told_in_one_line(hevo_edge: CommandLine, arguments: list[str]) -> None:
    done = hevo_edge(*arguments)
    assert (done.code, done.out) == (2, "")
    assert done.error.startswith("hevo-edge: ")
    assert done.error.endswith(" --help")
    assert done.error.isprintable()


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ("resync 1 2", "Pipeline"),
        ("jobs 1 2", "Pipeline"),
        ("wait 1 2", "REF|ID"),
        ("objects 1 2", "REF|ID"),
        ("cancel 1:a 2:b", "Job"),
    ],
)
def test_a_second_id_is_told_what_to_do(hevo_edge: CommandLine, given: str, what: str) -> None:
    name, *ids = given.split()
    error = hevo_edge(*given.split()).error
    assert error == (
        f"hevo-edge: {name} takes one {what}; for several, write a loop: for id in "
        f"{' '.join(ids)}; do hevo-edge {name} $id; done; see hevo-edge {name} --help"
    )


@pytest.mark.parametrize("given", ["sync 1 --nonsense", "check 1", "sync 1 --nonsense 2"])
def test_what_no_command_knows_points_to_its_help(hevo_edge: CommandLine, given: str) -> None:
    name, left = re.split(r" (?:1 (?=--))?", given, maxsplit=1)
    error = hevo_edge(*given.split()).error
    assert error == f"hevo-edge: unrecognized arguments: {left}; see hevo-edge {name} --help"


@pytest.mark.parametrize("given", ["nonsense", "12:", "0"])
@pytest.mark.parametrize("name", ["wait", "objects"])
def test_a_ref_is_named_where_one_is_taken(hevo_edge: CommandLine, name: str, given: str) -> None:
    error = hevo_edge(name, given).error
    assert "neither the id of a Pipeline" in error
    assert "nor the ref of a Job" in error


def test_a_file_that_is_not_there_is_named_once(hevo_edge: CommandLine) -> None:
    error = hevo_edge("wait", "--ticket", "nowhere.json").error
    assert error == ("hevo-edge: the ticket nowhere.json cannot be read: no such file or directory")


def test_a_busy_port_is_one_line(emulator: HevoEmulator, hevo_edge: CommandLine) -> None:
    port = emulator.base_url.rpartition(":")[2].partition("/")[0]
    done = hevo_edge("emulator", "--port", port)
    assert (done.code, done.out) == (2, "")
    assert done.error == (
        f"hevo-edge emulator: cannot listen on 127.0.0.1:{port}: address already in use; "
        "--port 0 takes a free one"
    )
    done = hevo_edge("emulator", "--port", "x")
    assert done.error.startswith("hevo-edge emulator: argument --port: ")
    assert done.error.endswith("see hevo-edge emulator --help")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["wait"], "wait for one of them"),
        (["wait", "123", "--ticket", "x"], "wait for one of them"),
        (["wait", "123:abc", "--next"], "go with a Pipeline's ID"),
        (["wait", "123:a/b"], "must not be dots only nor hold slashes"),
        (["sync", "123", "--accept", ""], "accept"),
        (["wait", "--ticket", "nowhere.json"], "cannot be read"),
    ],
)
def test_what_does_not_go_together(
    hevo_edge: CommandLine, arguments: list[str], words: str
) -> None:
    done = hevo_edge(*arguments)
    assert (done.code, done.out) == (2, "")
    assert words in done.error


def test_common_options_stand_before_the_command_or_after_it(hevo_edge: CommandLine) -> None:
    assert hevo_edge("--json", "jobs", "123").rows == hevo_edge("jobs", "123", "--json").rows


class TestCompletion:
    def commands(self) -> dict[str, argparse.ArgumentParser]:
        return completion._commands(build())

    @pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
    def test_names_every_command_and_option(self, hevo_edge: CommandLine, shell: str) -> None:
        code, out, err = hevo_edge("completion", shell)
        assert (code, err) == (0, "")
        flag = (lambda option: f"-l {option[2:]}") if shell == "fish" else str
        for name, parser in self.commands().items():
            assert re.search(rf"\b{name}\b", out)
            for option in parser._option_string_actions:
                if option.startswith("--"):
                    assert flag(option) in out

    @pytest.mark.parametrize(
        ("line", "words"),
        [
            ("hevo-edge re", ["resync", "recover"]),
            ("hevo-edge sync 123 --if", ["--if-running"]),
            ("hevo-edge sync --if-running ", ["fail", "join", "wait", "replace"]),
            ("hevo-edge completion ", ["bash", "zsh", "fish"]),
            ("hevo-edge emulator --p", ["--port", "--pipelines"]),
            ("hevo-edge jobs 1 --limit 3 --sta", ["--status"]),
        ],
    )
    @pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
    def test_bash_completes(self, tmp_path: Path, line: str, words: list[str]) -> None:
        script = tmp_path / "completion.bash"
        script.write_text(completion.script(build(), "bash"))
        typed = line.split(" ")
        array = " ".join(f"'{word}'" for word in typed)
        code = (
            f"set -eu; source {script}; COMP_WORDS=({array}); COMP_CWORD={len(typed) - 1}; "
            '_hevo_edge; echo "${COMPREPLY[@]}"'
        )
        done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True)
        assert set(words) <= set(done.stdout.split())
        assert all(word.startswith(typed[-1]) for word in done.stdout.split())

    @pytest.mark.parametrize("shell", ["zsh", "fish"])
    def test_the_other_shells_read_theirs(self, tmp_path: Path, shell: str) -> None:
        if shutil.which(shell) is None:
            pytest.skip(f"{shell} is not installed")
        script = tmp_path / "completion"
        script.write_text(completion.script(build(), shell))
        subprocess.run([shell, "-n", str(script)], check=True)


def test_the_module_is_the_same_command() -> None:
    done = subprocess.run(command("--version"), capture_output=True, text=True, check=True)
    assert done.stdout == f"hevo-edge {__version__}\n"


def test_installing_the_package_gives_the_command() -> None:
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert '[project.scripts]\nhevo-edge = "hevo_edge._command_line:main"\n' in project
