"""Whose account: the environment and private files, and nothing else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hevo_edge._command_line.profiles import profiles_file, settings
from hevo_edge._command_line.tickets import TicketFile, tickets_folder
from hevo_edge.emulator import HevoEmulator
from hevo_edge.errors import ConfigurationError
from tests.command_line.support import CommandLine

SECRET = "very%secret"


def write(text: str, mode: int = 0o600) -> Path:
    path = profiles_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def test_without_a_profile_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError) as raised:
        settings(None)
    assert str(raised.value) == (
        "the environment lacks HEVO_API_KEY, HEVO_API_SECRET, HEVO_REGION or HEVO_BASE_URL"
    )
    monkeypatch.setenv("HEVO_API_KEY", "key")
    monkeypatch.setenv("HEVO_API_SECRET", SECRET)
    with pytest.raises(ConfigurationError, match="lacks HEVO_REGION or HEVO_BASE_URL$"):
        settings(None)
    monkeypatch.setenv("HEVO_REGION", "eu")
    assert settings(None) == {
        "api_key": "key",
        "api_secret": SECRET,
        "region": "eu",
        "base_url": None,
        "rate_limit_store": None,
        "rate_limit_name": None,
    }


def test_a_profile_of_the_environment_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    write(f"[team-a]\napi_key = other\napi_secret = {SECRET}\nregion = us\n")
    monkeypatch.setenv("HEVO_TEAM_A_API_KEY", "key")
    with pytest.raises(
        ConfigurationError, match="lacks HEVO_TEAM_A_API_SECRET, HEVO_TEAM_A_REGION"
    ):
        settings("team-a")
    monkeypatch.setenv("HEVO_TEAM_A_API_SECRET", "mine")
    monkeypatch.setenv("HEVO_TEAM_A_BASE_URL", "http://127.0.0.1:1")
    assert settings("team-a")["api_secret"] == "mine"


def test_a_profile_of_the_file() -> None:
    write(f"[a]\napi_key = key\napi_secret = {SECRET}\nregion = us\n[b]\napi_key = x\n")
    assert settings("a")["api_secret"] == SECRET
    with pytest.raises(
        ConfigurationError, match=r"^\[b\] in .* lacks api_secret, region or base_url"
    ):
        settings("b")
    with pytest.raises(ConfigurationError, match="no profile c: neither HEVO_C_API_KEY is set"):
        settings("c")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o601, 0o620])
def test_a_file_that_others_can_read_is_refused(hevo_edge: CommandLine, mode: int) -> None:
    path = write(f"[a]\napi_key = key\napi_secret = {SECRET}\nregion = us\n", mode)
    done = hevo_edge("status", "--profile", "a")
    assert (done.code, done.out) == (2, "")
    assert f"chmod 600 {path}" in done.error
    assert SECRET not in done.error


@pytest.mark.parametrize("text", [f"api_secret = {SECRET}", f"[a]\n{SECRET}", "[a]\n[a]\n", "\xff"])
def test_a_file_that_is_none_shows_no_secret(hevo_edge: CommandLine, text: str) -> None:
    write("").write_bytes(text.encode("latin-1"))
    done = hevo_edge("status", "--profile", "a")
    assert (done.code, done.out) == (2, "")
    assert str(profiles_file()) in done.error
    assert SECRET not in done.error


def test_the_file_is_read_for_a_profile_only(
    emulator: HevoEmulator, hevo_edge: CommandLine
) -> None:
    write("nonsense", 0o644)
    assert hevo_edge("check").code == 0


def test_a_command_uses_the_profile_and_names_it(
    emulator: HevoEmulator, hevo_edge: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in emulator.environment:
        monkeypatch.delenv(name)
    write(
        f"[test]\napi_key = {emulator.api_key}\napi_secret = {emulator.api_secret}\n"
        f"base_url = {emulator.base_url}\n"
    )
    assert "from profile test" in hevo_edge("check", "--profile", "test").out
    emulator.pipeline(123).plan(duration=None)
    done = hevo_edge("sync", "123", "--profile", "test", "--timeout", "10", "-q")
    assert done.code == 3
    assert "hevo-edge wait --profile test 123:" in done.err


def test_where_files_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in ("XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(variable, "relative, so not valid")
    assert profiles_file() == tmp_path / ".config" / "hevo-edge" / "profiles.ini"
    assert tickets_folder() == tmp_path / ".local" / "state" / "hevo-edge" / "tickets"


class TestTicketFile:
    def test_is_private_whatever_the_umask(self) -> None:
        file = TicketFile.of(123, "abc")
        before = os.umask(0)
        try:
            file.save("first")
        finally:
            os.umask(before)
        assert file.path.stat().st_mode & 0o777 == 0o600
        assert file.path.parent.stat().st_mode & 0o777 == 0o700
        file.save("second")
        assert file.read() == "second"
        assert list(file.path.parent.iterdir()) == [file.path]

    def test_follows_no_link_that_lies_there(self, tmp_path: Path) -> None:
        file = TicketFile.of(123, "abc")
        file.save("mine")
        other = tmp_path / "other"
        other.write_text("untouched")
        file.path.with_name(f"{file.path.name}.{os.getpid()}.new").symlink_to(other)
        file.save("again")
        assert (other.read_text(), file.read()) == ("untouched", "again")

    def test_keeps_the_old_when_the_new_cannot_be_written(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = TicketFile.of(123, "abc")
        file.save("old")

        def fail(number: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="No space"):
            file.save("new")
        assert file.read() == "old"
        assert list(file.path.parent.iterdir()) == [file.path]

    def test_only_ours_are_removed(self, tmp_path: Path) -> None:
        assert TicketFile.of(1, "a").is_ours
        assert not TicketFile(tmp_path / "mine.json").is_ours
