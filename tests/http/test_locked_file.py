"""A file is opened only if it is ours, and locked so that nothing keeps the lock by accident."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from hevo_edge import HevoClient, RateLimit, errors
from hevo_edge._http.locked_file import LockedFile, read, write
from hevo_edge._http.shared_window import FileWindow, default_path

SOMEBODY = 12345


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "calls"


def use(path: Path, *, is_private: bool = True) -> None:
    with LockedFile(path, is_private=is_private).locked() as file:
        write(file, b"x")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def other_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let all files be another user's; root may still open them, as a thief's folder is open to us."""
    monkeypatch.setattr(os, "geteuid", lambda: SOMEBODY)


def test_folder_and_file_are_made_for_this_user_alone(path: Path) -> None:
    use(path)
    assert mode(path.parent) == 0o700
    assert mode(path) == 0o600


def test_it_is_made_again_after_a_cleanup(path: Path) -> None:
    file = LockedFile(path, is_private=True)
    for _ in range(2):
        with file.locked() as opened:
            write(opened, b"ab")
            assert read(opened) == b"ab"
        path.unlink()
        path.parent.rmdir()


def test_a_folder_that_another_user_has_made_again_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = LockedFile(path, is_private=True)
    with file.locked():
        pass
    other_user(monkeypatch)
    with pytest.raises(PermissionError, match="not this user's folder"), file.locked():
        pass
    with pytest.raises(PermissionError, match="not this user's folder"):
        file.peek()


@pytest.mark.parametrize("bits", [0o777, 0o770, 0o1777])
def test_a_folder_that_others_may_write_is_refused(path: Path, bits: int) -> None:
    path.parent.mkdir()
    path.parent.chmod(bits)
    with pytest.raises(PermissionError, match="not this user's folder"):
        use(path)


@pytest.mark.parametrize("bits", [0o666, 0o660, 0o602])
def test_a_private_file_that_others_may_write_is_refused(path: Path, bits: int) -> None:
    use(path)
    path.chmod(bits)
    with pytest.raises(PermissionError, match="not this user's file"):
        use(path)


def test_a_link_to_a_folder_is_not_followed(path: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    path.parent.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PermissionError, match="not this user's folder"):
        use(path)


@pytest.mark.parametrize("is_private", [True, False])
def test_no_link_is_followed(path: Path, tmp_path: Path, is_private: bool) -> None:
    path.parent.mkdir(mode=0o700)
    victim = tmp_path / "victim"
    victim.write_bytes(b"important")
    path.symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"):
        use(path, is_private=is_private)
    path.unlink()
    path.hardlink_to(victim)
    with pytest.raises(PermissionError, match="not a plain file"):
        use(path, is_private=is_private)
    assert victim.read_bytes() == b"important"


def test_a_pipe_in_its_place_blocks_nobody(path: Path) -> None:
    path.parent.mkdir(mode=0o700)
    os.mkfifo(path)
    with pytest.raises(PermissionError, match="not a plain file"):
        use(path)


def test_a_file_that_was_made_for_several_users_stays_theirs(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    path.chmod(0o660)
    use(path, is_private=False)
    assert mode(path) == 0o660


def test_one_that_we_make_is_ours_alone(path: Path) -> None:
    path.parent.mkdir()
    use(path, is_private=False)
    assert mode(path) == 0o600


def test_what_another_user_has_put_into_a_public_folder_is_refused(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.parent.mkdir()
    use(path, is_private=False)
    path.chmod(0o666)
    other_user(monkeypatch)
    use(path, is_private=False)  # those who may write the folder are trusted
    path.parent.chmod(0o1777)
    with pytest.raises(PermissionError, match="not this user's file"):
        use(path, is_private=False)


def test_the_lock_is_another_s_while_it_is_held(path: Path) -> None:
    file = LockedFile(path, is_private=True)
    with file.locked():
        with pytest.raises(BlockingIOError), file.locked():
            pass
        file.peek()
    with file.locked():
        pass


def test_no_descriptor_is_left_open(path: Path) -> None:
    use(path)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        use(path)
        LockedFile(path, is_private=False).peek()
        path.chmod(0o666)
        with pytest.raises(PermissionError):
            use(path)
        path.chmod(0o600)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


# -- when a client is made -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["none/calls", "file/calls", "folder"])
def test_a_path_that_cannot_be_used_is_refused_when_the_client_is_made(
    tmp_path: Path, name: str
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    with pytest.raises(errors.ConfigurationError, match="cannot be shared through"):
        HevoClient("k", "s", region="us", rate_limit=RateLimit(shared=tmp_path / name))


def test_a_default_folder_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    (tmp_path / f"hevo_edge-{os.geteuid()}").symlink_to("/")
    with pytest.raises(errors.ConfigurationError, match="not this user's folder"):
        FileWindow(default_path("account"), 60.0, is_private=True)
