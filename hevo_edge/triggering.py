"""``trigger`` in three steps, for callers that must survive a crash: the ticket and its parts.

``Pipeline.prepare_trigger`` makes a ``TriggerTicket``, ``HevoClient.fire`` posts it once and finds
its Job, ``HevoClient.reconcile`` only searches for the Job.
"""

from hevo_edge._triggering.schedule_grid import ScheduleGrid
from hevo_edge._triggering.states import TicketState
from hevo_edge._triggering.ticket import OnTicket, Post, TriggerTicket

__all__ = ["OnTicket", "Post", "ScheduleGrid", "TicketState", "TriggerTicket"]
