"""Are sdist and wheel made of what git has, and of nothing else? Are they the same when built again?

python -m tests.release.contents DIST AGAIN
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from zipfile import ZipFile

METADATA = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}


def tracked_files() -> list[str]:
    """Return the files of the repository that this runs in."""
    command = ("git", "ls-files", "-z")
    listing = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return listing.rstrip("\0").split("\0")


def the_only(folder: Path, pattern: str) -> Path:
    """Return the only file of that name; ValueError if there is another, or none."""
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise ValueError(f"{folder} has {len(found)} files like {pattern}, not one")
    return found[0]


def compare(name: str, found: Collection[str], expected: Collection[str]) -> None:
    """Raise a ValueError that names what is too much, and what is missing."""
    more, missing = Counter(found) - Counter(expected), Counter(expected) - Counter(found)
    if more or missing:
        raise ValueError(f"{name} has, beside git, {sorted(more)} and lacks {sorted(missing)}")


def check_wheel(wheel: Path, tracked: Collection[str]) -> None:
    """The package and its metadata: no tests, no docs, no file that is not in git."""
    name, version = wheel.name.split("-")[:2]
    package = {path for path in tracked if path.startswith("hevo_edge/")}
    with ZipFile(wheel) as files:
        compare(
            wheel.name,
            files.namelist(),
            package | {f"{name}-{version}.dist-info/{file}" for file in METADATA},
        )


def check_sdist(sdist: Path, tracked: Collection[str]) -> None:
    """The whole repository, and what pip reads."""
    root = sdist.name.removesuffix(".tar.gz")
    with tarfile.open(sdist) as files:
        compare(
            sdist.name,
            [file.name for file in files if not file.isdir()],
            {f"{root}/{path}" for path in (*tracked, "PKG-INFO")},
        )


def check_same(one: Path, other: Path) -> None:
    """Raise a ValueError unless the bytes are the same."""
    if one.name != other.name or one.read_bytes() != other.read_bytes():
        raise ValueError(f"{one} is not the same when it is built again: {other}")


def main(dist: Path, again: Path) -> None:
    """Check what was built, and that it was built twice alike."""
    tracked = tracked_files()
    wheel, sdist = the_only(dist, "*.whl"), the_only(dist, "*.tar.gz")
    check_wheel(wheel, tracked)
    check_sdist(sdist, tracked)
    check_same(wheel, the_only(again, "*.whl"))
    check_same(sdist, the_only(again, "*.tar.gz"))


if __name__ == "__main__":
    try:
        main(*map(Path, sys.argv[1:]))
    except ValueError as error:
        sys.exit(f"no release: {error}")
