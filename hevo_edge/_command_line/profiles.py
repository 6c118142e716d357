"""Whose account: the environment, or a profile of the environment or of a private file."""

from __future__ import annotations

import configparser
import os
import stat
from collections.abc import Mapping
from pathlib import Path

from hevo_edge._command_line.wording import reason_of
from hevo_edge.errors import ConfigurationError

NAMES = ("api_key", "api_secret", "region", "base_url", "rate_limit_store", "rate_limit_name")
"""What a profile holds: key and secret, one of region and base URL, and through what the call
budget is shared, if it is."""
_SHARED = stat.S_IRWXG | stat.S_IRWXO


def settings(profile: str | None) -> dict[str, str | None]:
    """Return what a client is made of, by ``NAMES``.

    Args:
        profile: The profile's name; None for ``HEVO_API_KEY`` and the variables beside it.

    Raises:
        ConfigurationError: naming what is missing or wrong.
    """
    if profile is None:
        return _checked(_environment("HEVO_"), "HEVO_{}", "the environment")
    prefix = f"HEVO_{profile.upper().replace('-', '_')}_"
    given = _environment(prefix)
    if given:
        return _checked(given, f"{prefix}{{}}", "the environment")
    path = profiles_file()
    section = _read(path, profile)
    if section is None:
        raise ConfigurationError(
            f"there is no profile {profile}: neither {prefix}API_KEY is set, nor has {path} a "
            f"section [{profile}]"
        )
    return _checked(section, "{}", f"[{profile}] in {path}")


def profiles_file() -> Path:
    """Return the path of the file of profiles."""
    return base_folder("XDG_CONFIG_HOME", ".config") / "profiles.ini"


def base_folder(variable: str, default: str) -> Path:
    """Return the folder of hevo-edge in a base folder of the XDG specification."""
    given = Path(os.environ.get(variable) or "")
    # A relative path must be ignored.
    folder = given if given.is_absolute() else Path(os.path.expanduser("~"), default)  # noqa: PTH111
    return folder / "hevo-edge"


def _environment(prefix: str) -> dict[str, str]:
    found = {name: os.environ.get(f"{prefix}{name.upper()}", "") for name in NAMES}
    return {name: value for name, value in found.items() if value}


def _checked(given: Mapping[str, str], form: str, place: str) -> dict[str, str | None]:
    def shown(name: str) -> str:
        return form.format(name.upper() if "_" in form else name)

    needed = [name for name in ("api_key", "api_secret") if not given.get(name)]
    missing = [shown(name) for name in needed]
    if not given.get("region") and not given.get("base_url"):
        missing.append(f"{shown('region')} or {shown('base_url')}")
    if missing:
        raise ConfigurationError(f"{place} lacks {', '.join(missing)}")
    return {name: given.get(name) for name in NAMES}


def _read(path: Path, profile: str) -> Mapping[str, str] | None:
    """Return a section of the file; None when there is none, or no file.

    Raises:
        ConfigurationError: when others can read the file, or it cannot be read.
    """
    try:
        with path.open(encoding="utf-8") as file:
            _check_privacy(path, os.fstat(file.fileno()))
            # Without interpolation: a secret may hold a percent sign.
            parser = configparser.ConfigParser(interpolation=None)
            parser.read_string(file.read())
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {reason_of(error)}") from None
    except configparser.Error as error:
        # Its message quotes lines, which may hold the secret.
        raise ConfigurationError(f"{path} is no INI file ({type(error).__name__})") from None
    if not parser.has_section(profile):
        return None
    found = {name: parser.get(profile, name, fallback="") for name in NAMES}
    return {name: value for name, value in found.items() if value}


def _check_privacy(path: Path, status: os.stat_result) -> None:
    if os.name != "posix":
        return
    if status.st_uid not in {os.geteuid(), 0}:
        raise ConfigurationError(f"{path} holds secrets, and belongs to another user")
    if status.st_mode & _SHARED:
        raise ConfigurationError(
            f"{path} holds secrets, and others can read or change it; run: chmod 600 {path}"
        )
