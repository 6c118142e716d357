"""Runs every DAG of the DAGs folder by ``dag.test()``, and prints how that ended.

A process of its own: ``dag.test`` leaves Airflow's globals as it likes.
"""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

from airflow import settings

from hevo_edge import job, options
from hevo_edge._triggering import discovery
from hevo_edge.schedules import geometric


def bag_of_dags() -> Any:
    """Return the DAGs, which Airflow 3 wants in its database as well."""
    try:
        module = import_module("airflow.dag_processing.dagbag")
        sync: Any = module.sync_bag_to_db
    except (ImportError, AttributeError):
        return import_module("airflow.models").DagBag(settings.DAGS_FOLDER, include_examples=False)
    bag = module.DagBag(settings.DAGS_FOLDER)
    import_module("airflow.dag_processing.bundles.manager").DagBundlesManager().sync_bundles_to_db()
    sync(bag, "dags-folder", None)
    return bag


def main() -> None:
    # The SDK's time is real, and the emulator's runs a hundred times faster.
    soon = geometric(share=0.1, shortest=0.05, longest=0.5)
    vars(discovery).update(FIRST_POLL=0.05, POLL_GAPS=soon, ACCEPT_DOUBTFUL_AFTER=0.5)
    for module in (job, options):
        vars(module).update(as_schedule=lambda poll_interval: soon)
    bag = bag_of_dags()
    print("\nRESULT", json.dumps({"errors": {str(k): v for k, v in bag.import_errors.items()}}))
    for dag_id, dag in sorted(bag.dags.items()):
        run = dag.test()
        states: dict[str, list[str]] = {}
        for ti in run.get_task_instances():
            states.setdefault(ti.task_id, []).append(str(ti.state))
        result = {"dag": dag_id, "state": str(run.state), "tasks": states}
        print("\nRESULT", json.dumps(result))


if __name__ == "__main__":
    main()
