"""All checks. `nox` runs what CI runs on this interpreter; `nox -l` lists the rest."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "types", "tests", "airflow", "docs"]

PYTHONS = ["3.10", "3.11", "3.12", "3.13"]
PROJECT = nox.project.load_toml("pyproject.toml")


def install(session: nox.Session, *groups: str, editable: bool = True) -> None:
    if groups:
        session.install(*nox.project.dependency_groups(PROJECT, *groups))
    if editable:
        session.install("-e", ".")
    else:
        session.install("--reinstall-package", "hevo-edge", ".")


def run_tests(session: nox.Session) -> None:
    install(session, "test")
    session.run("coverage", "erase", silent=True)
    session.run("coverage", "run", "-m", "pytest", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, dead code, and the layers of the house."""
    install(session, "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports")


@nox.session
def types(session: nox.Session) -> None:
    """Types: mypy --strict, pyright, and a fully typed public surface."""
    # Not editable: pyright looks at what a user would have installed.
    install(session, "test", "types", "airflow", editable=False)
    session.install("nox")
    session.run("mypy")
    session.run("pyright")
    # The adapters derive from their orchestrators' classes, whose own types are not complete.
    for adapters in Path(session.bin).parent.glob("lib/*/site-packages/hevo_edge/integrations"):
        shutil.rmtree(adapters)
    # From elsewhere, so that the installed package is found and not the folder here.
    with session.chdir(session.create_tmp()):
        session.run("pyright", "--verifytypes", "hevo_edge", "--ignoreexternal")


@nox.session
def tests(session: nox.Session) -> None:
    """All tests in random order, the examples among them, with branch coverage."""
    run_tests(session)
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")


@nox.session(python=PYTHONS)
def matrix(session: nox.Session) -> None:
    """All tests on one of the supported interpreters."""
    run_tests(session)


AIRFLOWS = {"2": "apache-airflow==2.11.*", "3": "apache-airflow>=3.3,<4"}
AIRFLOW_TESTS = "tests/integrations/airflow"


def install_airflow(session: nox.Session, airflow: str) -> None:
    if airflow == "2" and sys.version_info >= (3, 13):
        session.skip("Airflow 2 runs on Python 3.12 at most")
    groups = nox.project.dependency_groups(PROJECT, "airflow-test")
    session.install(AIRFLOWS[airflow], *groups, "-e", ".")


@nox.session
@nox.parametrize("airflow", ["2", "3"], ids=["2", "3"])
def airflow(session: nox.Session, airflow: str) -> None:
    """The Airflow adapter in the real Airflow, with branch coverage of its own."""
    install_airflow(session, airflow)
    rules = f"--rcfile={AIRFLOW_TESTS}/coverage.ini"
    # Elsewhere than the other tests' coverage, which is combined from all that lies about.
    env = {"COVERAGE_FILE": f"{session.create_tmp()}/coverage"}
    command = ["coverage", "run", rules, "-m", "pytest", AIRFLOW_TESTS]
    session.run(*command, *session.posargs, env=env)
    session.run("coverage", "report", rules, env=env)


@nox.session
@nox.parametrize("airflow", ["2", "3"], ids=["2", "3"])
def airflow_e2e(session: nox.Session, airflow: str) -> None:
    """The adapter in a whole Airflow, with users, workers and triggerers that end its waits."""
    install_airflow(session, airflow)
    home = f"{AIRFLOW_TESTS}/e2e"
    session.run("pytest", "--confcutdir", home, "-W", "default", home, *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation; a broken link or anchor fails it."""
    install(session, "docs")
    quiet = {"NO_MKDOCS_2_WARNING": "1"}
    session.run("mkdocs", "build", "--strict", "--quiet", env=quiet)


@nox.session
def benchmarks(session: nox.Session) -> None:
    """Print the ratios that the issues and the docs speak of."""
    install(session)
    session.run("python", "tests/benchmarks/client_overhead.py", *session.posargs)
    session.run("python", "-m", "tests.benchmarks.weight")
    session.run("python", "-m", "tests.benchmarks.learning")
    session.run("python", "-m", "tests.benchmarks.sharing")
    session.run("python", "-m", "tests.benchmarks.waiting")


@nox.session
def airflow_benchmarks(session: nox.Session) -> None:
    """Print what the Airflow adapter costs."""
    session.install("-e", ".[airflow]")
    session.run("python", "-m", "tests.benchmarks.airflow_adapter", *session.posargs)


@nox.session
def campaign(session: nox.Session) -> None:
    """Trigger under drawn faults, judged by the emulator; `-- --trials 10000` takes its time."""
    install(session)
    session.run("python", "-m", "tests.campaign", *session.posargs)
