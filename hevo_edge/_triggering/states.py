"""The states of a trigger's ticket, and which event leads from one to the next.

The one rule that all of it serves: a POST may leave only from READ, and nothing leads to READ from
a state in which an earlier POST may have arrived, but proof: Hevo refused it, it never left, or a
search to its end found nothing.
"""

from __future__ import annotations

from enum import Enum
from types import MappingProxyType
from typing import Final

from hevo_edge.enums import OpenEnum


class TicketState(OpenEnum):
    """How far a trigger has come, as far as it is known."""

    NEW = "new"
    """Nothing was sent, and the Pipeline's Jobs have to be read before anything is."""
    READ = "read"
    """Nothing was sent; what was there is in the ticket."""
    SENDING = "sending"
    """The POST is about to leave, or on its way: whoever sends it has not seen its end."""
    AMBIGUOUS = "ambiguous"
    """The POST may have arrived: whoever sent it has seen that no usable answer came."""
    ACCEPTED = "accepted"
    """Hevo accepted the POST; the Job is not known yet."""
    FOUND = "found"
    """The Job is known; or the running one was joined, and nothing was sent."""
    FOREIGN = "foreign"
    """The ticket comes from elsewhere and does not say what became of it there."""


class TicketEvent(Enum):
    """What happens to a ticket."""

    READ = "what is there was read"
    SEND = "the POST is about to leave"
    NOT_SENT = "the POST surely never left, or Hevo refused it"
    INTERRUPTED = "the sender was cut off after the POST had left"
    NO_ANSWER = "no usable answer came to the POST"
    ANSWERED = "Hevo accepted the POST"
    FOUND = "the Job was found, or the running one joined"
    NOT_FOUND = "a search to its end found no Job"
    EVIDENCE = "something else says that an earlier POST has arrived"
    REOPENED = "time has passed in which an earlier POST's Job may have appeared"
    LOADED = "another process has loaded the ticket"


_S, _E = TicketState, TicketEvent

TRANSITIONS: Final = MappingProxyType(
    {
        (_S.NEW, _E.READ): _S.READ,
        (_S.READ, _E.READ): _S.READ,
        (_S.READ, _E.SEND): _S.SENDING,
        (_S.SENDING, _E.NOT_SENT): _S.READ,
        (_S.SENDING, _E.INTERRUPTED): _S.AMBIGUOUS,
        (_S.SENDING, _E.NO_ANSWER): _S.AMBIGUOUS,
        (_S.SENDING, _E.ANSWERED): _S.ACCEPTED,
        # A search may find the Job from anywhere: of this POST, of an earlier one, or to be joined.
        **{(state, _E.FOUND): _S.FOUND for state in _S},
        # A ticket whose POST was accepted has a Job, however late it is listed.
        (_S.AMBIGUOUS, _E.NOT_FOUND): _S.NEW,
        (_S.FOREIGN, _E.NOT_FOUND): _S.NEW,
        (_S.NEW, _E.EVIDENCE): _S.AMBIGUOUS,
        (_S.READ, _E.EVIDENCE): _S.AMBIGUOUS,
        (_S.FOREIGN, _E.EVIDENCE): _S.AMBIGUOUS,
        (_S.NEW, _E.REOPENED): _S.FOREIGN,
        (_S.READ, _E.REOPENED): _S.FOREIGN,
        # It may have been fired there since it was stored.
        (_S.NEW, _E.LOADED): _S.FOREIGN,
        (_S.READ, _E.LOADED): _S.FOREIGN,
        (_S.SENDING, _E.LOADED): _S.FOREIGN,
        (_S.FOREIGN, _E.LOADED): _S.FOREIGN,
        (_S.AMBIGUOUS, _E.LOADED): _S.AMBIGUOUS,
        (_S.ACCEPTED, _E.LOADED): _S.ACCEPTED,
        (_S.FOUND, _E.LOADED): _S.FOUND,
    }
)
"""All transitions that are legal."""

MAY_HAVE_ARRIVED: Final = frozenset({_S.SENDING, _S.AMBIGUOUS, _S.ACCEPTED, _S.FOREIGN})
"""The states in which a POST of the ticket may have reached Hevo, its Job unknown."""


def next_state(state: TicketState, event: TicketEvent) -> TicketState:
    """Return the state to which an event leads.

    Raises:
        AssertionError: when the event cannot happen in that state: a mistake in our own code.
    """
    following = TRANSITIONS.get((state, event))
    if following is None:
        raise AssertionError(f"a ticket that is {state} cannot see that {event.value}")
    return following
