"""The button on a task that leads to the Pipeline's page in Hevo."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import XCom

if TYPE_CHECKING:
    # The shim is not typed.
    from airflow.sdk import BaseOperatorLink
else:
    from airflow.providers.common.compat.sdk import BaseOperatorLink

URL_KEY = "hevo_url"
"""The XCom that holds the address."""


class HevoPipelineLink(BaseOperatorLink):
    """Leads to the Pipeline in Hevo; the task stores the address when it runs."""

    @property
    def name(self) -> str:
        """What the button says."""
        return "Hevo Pipeline"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:  # noqa: ARG002 -- Airflow's signature
        """Return the address, or nothing when the task has not run."""
        return XCom.get_value(key=URL_KEY, ti_key=ti_key) or ""
