"""What refuses a release, and that this repository could be released."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import hevo_edge
from tests.release.versions import Release, check, newest_release

ROOT = Path(__file__).parents[2]
CHANGELOG = """\
# Changelog

All changes.

## [Unreleased]
{unreleased}
## [0.2.0] - 2027-03-01

### Added

- Two.

## [0.1.0] - 2026-11-26

- One.
"""


def changelog(unreleased: str = "") -> str:
    return CHANGELOG.format(unreleased=unreleased)


def test_the_newest_release_is_read() -> None:
    release = newest_release(changelog("\n- Three.\n"))
    assert (release.version, release.unreleased) == ("0.2.0", "- Three.")
    assert release.day.isoformat() == "2027-03-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# Changelog\n", "does not begin with"),
        (changelog().replace("## [Unreleased]\n", ""), "does not begin with"),
        ("## [Unreleased]\n", "has no ##"),
        (changelog().replace("2027-03-01", "soon"), "has no ##"),
        (changelog().replace(" - 2027-03-01", ""), "has no ##"),
        (changelog().replace("2027-03-01", "2027-02-29"), "day is out of range"),
        (changelog().replace("[0.2.0]", "0.2.0"), "has no ##"),
    ],
)
def test_a_changelog_of_another_form_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        newest_release(text)


@pytest.mark.parametrize("tags", [[], ["v0.2.0"]])
def test_versions_that_agree_are_released(tags: list[str]) -> None:
    check(newest_release(changelog()), "0.2.0", tags)


def test_between_releases_there_are_unreleased_lines() -> None:
    check(newest_release(changelog("- Three.\n")), "0.2.0", [])


@pytest.mark.parametrize(
    ("version", "tags", "unreleased", "message"),
    [
        ("0.1.0", [], "", "CHANGELOG.md says 0.2.0, hevo_edge/_version.py 0.1.0"),
        ("0.2.0", ["v0.1.0"], "", "the tag v0.1.0 is not v0.2.0"),
        ("0.2.0", ["0.2.0"], "", "the tag 0.2.0 is not v0.2.0"),
        ("0.2.0", ["v0.2.0", "v0.2.1"], "", "the tag v0.2.1 is not v0.2.0"),
        ("0.2.0", ["v0.2.0"], "- Three.\n", "has lines under [Unreleased]"),
    ],
)
def test_versions_that_differ_are_not(
    version: str, tags: list[str], unreleased: str, message: str
) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        check(newest_release(changelog(unreleased)), version, tags)


def run(folder: Path, *tags: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, f"{ROOT}/tests/release/versions.py", *tags]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def test_the_tag_of_the_commit_counts(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        who = ("-c", "user.name=test", "-c", "user.email=test@example.invalid")
        subprocess.run(["git", *who, *arguments], cwd=tmp_path, check=True, capture_output=True)

    (tmp_path / "hevo_edge").mkdir()
    (tmp_path / "hevo_edge/_version.py").write_text('__version__ = "0.2.0"\n')
    (tmp_path / "CHANGELOG.md").write_text(changelog())
    git("init")
    git("add", ".")
    git("commit", "-m", "One")
    assert run(tmp_path).stdout == "1803859200\n"
    git("tag", "v0.2.0")
    assert run(tmp_path).returncode == 0
    git("tag", "v0.3.0")
    done = run(tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "no release: the tag v0.3.0 is not v0.2.0, the version of this commit\n"
    assert run(tmp_path, "v0.2.0").returncode == 0


def test_changelog_and_package_agree_here() -> None:
    release: Release = newest_release((ROOT / "CHANGELOG.md").read_text())
    assert release.version == hevo_edge.__version__
