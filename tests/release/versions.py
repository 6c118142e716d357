"""Do CHANGELOG, package and tag speak of one version? `nox -s release` asks before it builds.

    python -m tests.release.versions [TAG]

prints the date of the release as seconds since 1970: what a build takes for SOURCE_DATE_EPOCH.
Without TAG, the tags of the commit that is checked out are looked at.
"""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple

UNRELEASED = "[Unreleased]"
HEADING = re.compile(r"\[(?P<version>\d+\.\d+\.\d+\S*)\] - (?P<day>\d{4}-\d{2}-\d{2})")


class Release(NamedTuple):
    """The newest release that a CHANGELOG has."""

    version: str
    day: datetime
    """Its date, at midnight UTC."""
    unreleased: str
    """What stands under Unreleased."""


def newest_release(changelog: str) -> Release:
    """Return the newest release of a CHANGELOG; ValueError where it is not as Keep a Changelog asks."""
    sections = [section.partition("\n") for section in re.split(r"(?m)^## ", changelog)[1:]]
    if not sections or sections[0][0].strip() != UNRELEASED:
        raise ValueError(f"CHANGELOG.md does not begin with ## {UNRELEASED}")
    found = HEADING.fullmatch(sections[1][0].strip()) if len(sections) > 1 else None
    if not found:
        raise ValueError(f"CHANGELOG.md has no ## [X.Y.Z] - YYYY-MM-DD after {UNRELEASED}")
    day = datetime.strptime(found["day"], "%Y-%m-%d").replace(tzinfo=timezone.utc)
    return Release(found["version"], day, sections[0][2].strip())


def check(release: Release, version: str, tags: Sequence[str]) -> None:
    """Raise a ValueError unless all agree; what is tagged leaves nothing unreleased."""
    if release.version != version:
        raise ValueError(f"CHANGELOG.md says {release.version}, hevo_edge/_version.py {version}")
    for tag in tags:
        if tag != f"v{version}":
            raise ValueError(f"the tag {tag} is not v{version}, the version of this commit")
    if tags and release.unreleased:
        raise ValueError(f"{tags[0]} is a release, but CHANGELOG.md has lines under {UNRELEASED}")


def tags_of_head() -> list[str]:
    """Return the tags of versions that this commit has."""
    command = ("git", "tag", "--points-at", "HEAD", "--list", "v*")
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def main(tags: Sequence[str]) -> None:
    """Check the folder that this runs in, and print the date."""
    release = newest_release(Path("CHANGELOG.md").read_text())
    version = runpy.run_path("hevo_edge/_version.py")["__version__"]
    check(release, version, tags or tags_of_head())
    sys.stdout.write(f"{release.day.timestamp():.0f}\n")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except ValueError as error:
        sys.exit(f"no release: {error}")
