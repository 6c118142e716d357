"""What of a wheel or an sdist is refused."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.release.contents import METADATA, check_same, check_sdist, check_wheel, the_only

TRACKED = ["README.md", "hevo_edge/__init__.py", "hevo_edge/py.typed", "tests/test_a.py"]
PACKAGE = ["hevo_edge/__init__.py", "hevo_edge/py.typed"]
INFO = [f"hevo_edge-1.0.dist-info/{name}" for name in METADATA]


def wheel(folder: Path, *names: str) -> Path:
    path = folder / "hevo_edge-1.0-py3-none-any.whl"
    with ZipFile(path, "w") as files:
        for name in names:
            files.writestr(name, "")
    return path


def sdist(folder: Path, *names: str) -> Path:
    path = folder / "hevo_edge-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as files:
        for name in names:
            files.addfile(tarfile.TarInfo(f"hevo_edge-1.0/{name}"), io.BytesIO())
    return path


def test_the_package_and_its_metadata_are_a_wheel(tmp_path: Path) -> None:
    check_wheel(wheel(tmp_path, *PACKAGE, *INFO), TRACKED)


@pytest.mark.parametrize("more", ["tests/test_a.py", "README.md", "hevo_edge/scratch.py"])
def test_a_wheel_has_nothing_else(tmp_path: Path, more: str) -> None:
    with pytest.raises(ValueError, match=rf"has, beside git, \['{more}'\] and lacks \[\]"):
        check_wheel(wheel(tmp_path, *PACKAGE, *INFO, more), TRACKED)


@pytest.mark.parametrize("missing", [*PACKAGE, *sorted(INFO)])
def test_a_wheel_lacks_nothing(tmp_path: Path, missing: str) -> None:
    names = {*PACKAGE, *INFO} - {missing}
    with pytest.raises(ValueError, match=rf"has, beside git, \[\] and lacks \['{missing}'\]"):
        check_wheel(wheel(tmp_path, *names), TRACKED)


def test_the_repository_is_an_sdist(tmp_path: Path) -> None:
    check_sdist(sdist(tmp_path, "PKG-INFO", *TRACKED), TRACKED)


@pytest.mark.parametrize(
    "names",
    [
        TRACKED,
        ["PKG-INFO", *TRACKED, ".env"],
        ["PKG-INFO", *TRACKED[:-1]],
        ["PKG-INFO", "PKG-INFO", *TRACKED],
    ],
    ids=["no metadata", "more than git has", "no tests", "a file twice"],
)
def test_an_sdist_is_that_exactly(tmp_path: Path, names: list[str]) -> None:
    with pytest.raises(ValueError, match="has, beside git, .* and lacks"):
        check_sdist(sdist(tmp_path, *names), TRACKED)


def test_other_bytes_are_no_second_build(tmp_path: Path) -> None:
    for folder, text in (("one", "a"), ("same", "a"), ("other", "b")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.whl").write_text(text)
    check_same(tmp_path / "one/x.whl", tmp_path / "same/x.whl")
    with pytest.raises(ValueError, match="not the same when it is built again"):
        check_same(tmp_path / "one/x.whl", tmp_path / "other/x.whl")


@pytest.mark.parametrize("names", [[], ["a.whl", "b.whl"]])
def test_a_folder_of_builds_has_one_of_each(tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(ValueError, match="not one"):
        the_only(tmp_path, "*.whl")
