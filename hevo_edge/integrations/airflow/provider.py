"""What Airflow reads of this package through its entry point, without importing the adapter."""

from __future__ import annotations

from typing import Any

from hevo_edge import __version__

_HOME = "hevo_edge.integrations.airflow"

CONNECTION_ID = "hevo_airflow_conn_id"
"""The connection that is used where none is named, as in the vendor's provider."""
CONNECTION_TYPE = "hevo"
FORM: dict[str, Any] = {
    "hidden-fields": ["schema"],
    "relabeling": {"host": "Region or host", "login": "API key", "password": "API secret"},
    "placeholders": {
        "host": "us, us.hevodata.com or https://us.hevodata.com",
        "login": "from https://{region}.hevodata.com/account/api-keys (Hevo's API username)",
        "password": "shown with it (Hevo's API key)",
        "extra": '{"rate_limit": 50, "headers": {}, "proxy": "http://proxy:3128", "verify": true}',
    },
}
"""How the form of a connection of type ``hevo`` looks."""


def get_provider_info() -> dict[str, Any]:
    """Describe the provider, by the schema of ``airflow providers``."""
    return {
        "package-name": "hevo-edge",
        "name": "Hevo Edge",
        "description": "Trigger Hevo Edge Pipelines exactly once, and await their Jobs.",
        "versions": [__version__],
        "integrations": [
            {
                "integration-name": "Hevo Edge",
                "external-doc-url": "https://docs.hevodata.com/edge/",
                "tags": ["service"],
            }
        ],
        "operators": [{"integration-name": "Hevo Edge", "python-modules": [f"{_HOME}.operators"]}],
        "sensors": [{"integration-name": "Hevo Edge", "python-modules": [f"{_HOME}.sensors"]}],
        "hooks": [{"integration-name": "Hevo Edge", "python-modules": [f"{_HOME}.hooks"]}],
        "triggers": [
            {
                "integration-name": "Hevo Edge",
                "python-modules": [f"{_HOME}.triggers", f"{_HOME}.event_triggers"],
            }
        ],
        "extra-links": [f"{_HOME}.links.HevoPipelineLink"],
        "connection-types": [
            {
                "connection-type": CONNECTION_TYPE,
                "hook-class-name": f"{_HOME}.hooks.HevoHook",
                "hook-name": "Hevo Edge",
                "ui-field-behaviour": FORM,
            }
        ],
    }
