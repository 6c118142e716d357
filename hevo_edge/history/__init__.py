"""The Jobs that a Pipeline has had: to look at, to count, to plot, and as a table of other tools.

pandas, polars and matplotlib are used where they are installed, and loaded only when asked for::

    history = await pipeline.job_history(since=datetime.now(timezone.utc) - timedelta(days=7))
    print(history.summary())
    frame = history.to_pandas()
"""

from hevo_edge.history._sequence import JobHistory
from hevo_edge.history._summary import HistorySummary

__all__ = ["HistorySummary", "JobHistory"]
