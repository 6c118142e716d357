"""All checks. `nox` runs what CI runs on this interpreter; `nox -l` lists the rest."""

from __future__ import annotations

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv"
nox.options.reuse_existing_virtualenvs = True
nox.options.sessions = ["lint", "types", "tests", "docs"]

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


def run_airflow_tests(session: nox.Session, airflow: str) -> None:
    here = "tests/integrations/airflow"
    rules = f"--rcfile={here}/coverage.ini"
    session.install(airflow, *nox.project.dependency_groups(PROJECT, "airflow-test"), "-e", ".")
    # Elsewhere than the other tests' coverage, which is combined from all that lies about.
    env = {"COVERAGE_FILE": f"{session.create_tmp()}/coverage"}
    session.run("coverage", "run", rules, "-m", "pytest", here, *session.posargs, env=env)
    session.run("coverage", "report", rules, env=env)


@nox.session(python="3.11")
def airflow_2(session: nox.Session) -> None:
    """The Airflow adapter in the last Airflow 2, with branch coverage of its own."""
    run_airflow_tests(session, "apache-airflow==2.11.*")


@nox.session(python="3.11")
def airflow_3(session: nox.Session) -> None:
    """The Airflow adapter in Airflow 3, with branch coverage of its own."""
    run_airflow_tests(session, "apache-airflow>=3.3,<4")


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


@nox.session(python="3.12")
@nox.parametrize("airflow", ["3.3.2", "2.11.2"])
def airflow_e2e(session: nox.Session, airflow: str) -> None:
    """The adapter in a whole Airflow, with users, workers and triggerers that end its waits."""
    session.install("-e", ".[airflow]", f"apache-airflow=={airflow}", "pytest", "pytest-asyncio")
    home = "tests/integrations/airflow/e2e"
    session.run("pytest", "--confcutdir", home, "-W", "default", home, *session.posargs)
