"""The states of a trigger's ticket, and which event leads from one to the next.

One rule: a POST may leave only from READ. From a state in which an earlier POST may have arrived,
only proof leads back to READ: Hevo refused that POST, it never left, or a complete search found
nothing; or the word of who stored the ticket, as long as nothing tells of a POST.
"""

from __future__ import annotations

from enum import Enum
from types import MappingProxyType
from typing import Final

from hevo_edge.enums import OpenEnum


class TicketState(OpenEnum):
    """How far a trigger has come, as far as it is known."""

    NEW = "new"
    """Nothing was sent; the Pipeline's Jobs must be read before the POST."""
    READ = "read"
    """Nothing was sent; the Jobs that were listed are in the ticket."""
    SENDING = "sending"
    """The POST is about to leave, or in flight: its sender has not seen the outcome."""
    AMBIGUOUS = "ambiguous"
    """The POST may have arrived: its sender got no usable answer."""
    ACCEPTED = "accepted"
    """Hevo accepted the POST; the Job is not known yet."""
    FOUND = "found"
    """The Job is known; or the running Job was joined, and nothing was sent."""
    FOREIGN = "foreign"
    """Another process stored the ticket, and may have fired it since."""


class TicketEvent(Enum):
    """What happens to a ticket."""

    READ = "the Pipeline and its Jobs were read"
    SEND = "the POST is about to leave"
    NOT_SENT = "the POST certainly never left, or Hevo refused it"
    INTERRUPTED = "the sender was interrupted after the POST had left"
    NO_ANSWER = "the POST got no usable answer"
    ANSWERED = "Hevo accepted the POST"
    FOUND = "the Job was found, or the running Job was joined"
    NOT_FOUND = "a complete search found no Job"
    EVIDENCE = "there is evidence that an earlier POST has arrived"
    REOPENED = "time has passed in which an earlier POST's Job may have appeared"
    LOADED = "a ticket that another process stored was loaded"
    UNFIRED = "who fires it knows that no other process has, and nothing tells otherwise"


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
        # From any state: the Job of this POST, of an earlier POST, or the running Job to join.
        **{(state, _E.FOUND): _S.FOUND for state in _S},
        # A ticket whose POST was accepted has a Job, however late it is listed.
        (_S.AMBIGUOUS, _E.NOT_FOUND): _S.NEW,
        (_S.FOREIGN, _E.NOT_FOUND): _S.NEW,
        (_S.FOREIGN, _E.UNFIRED): _S.NEW,
        (_S.NEW, _E.EVIDENCE): _S.AMBIGUOUS,
        (_S.READ, _E.EVIDENCE): _S.AMBIGUOUS,
        (_S.FOREIGN, _E.EVIDENCE): _S.AMBIGUOUS,
        (_S.NEW, _E.REOPENED): _S.FOREIGN,
        (_S.READ, _E.REOPENED): _S.FOREIGN,
        # The process that stored it may have fired it since.
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
    target = TRANSITIONS.get((state, event))
    if target is None:
        raise AssertionError(f"impossible for a ticket in state {state}: {event.value}")
    return target
