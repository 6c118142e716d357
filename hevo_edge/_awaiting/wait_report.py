"""What is told, and shown, of a group of waits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from hevo_edge._awaiting.duration_history import DurationHistory
from hevo_edge._awaiting.poll_target import Subscriber
from hevo_edge._common.per_loop import has_loop, loop_time
from hevo_edge._jobs.handle import JobHandle, key_of, last_snapshot
from hevo_edge._jobs.pipeline_names import PipelineNames
from hevo_edge._progress.display import display_of_loop
from hevo_edge._progress.lines import MAX_LINE_EACH
from hevo_edge._progress.wait_line import WaitLine
from hevo_edge._text.printable import short
from hevo_edge.models import JobData
from hevo_edge.observing._events import WaitEvent, WaitPhase
from hevo_edge.observing._observer import Observers


class WaitReporting(NamedTuple):
    """Who is told of waits, and what is known to show them.

    Attributes:
        observers: Those who are told.
        names: The names of Pipelines.
        history: How long Jobs take.
    """

    observers: Observers
    names: PipelineNames
    history: DurationHistory

    def of_group(self, jobs: Sequence[JobHandle], *, progress: bool) -> WaitReport | None:
        """Return what tells of the waits for some Jobs; None when nobody wants to know."""
        if not jobs or not (progress or self.observers):
            return None
        return WaitReport(self, jobs, progress=progress)


class WaitReport:
    """Tells the observers of a group's waits, and shows them where that is wanted.

    Args:
        reporting: Who is told, and what is known.
        jobs: The Jobs, in the order of the group.
        progress: Whether to show them.
    """

    def __init__(
        self, reporting: WaitReporting, jobs: Sequence[JobHandle], *, progress: bool
    ) -> None:
        self._observers = reporting.observers
        self._began = loop_time()
        self._jobs = dict(enumerate(jobs))
        self._display = display_of_loop() if progress else None
        self._lines: dict[int, WaitLine] = {}
        if self._display is not None:
            many = len(jobs) > MAX_LINE_EACH
            display, noun = self._display, "waits"
            group = display.group(noun, len(jobs)) if many else display.shared_group(noun)
            for place, job in self._jobs.items():
                line = WaitLine(
                    job.id,
                    reporting.history.typical,
                    job.pipeline_id,
                    reporting.names.get,
                    self._began,
                )
                if (seen := last_snapshot(job)) is not None:
                    line.update(*seen)
                self._lines[place] = line
                display.begin(line, group)
        for job in jobs:
            self._notify(job, WaitPhase.STARTED, None)

    def awaits(self, place: int, subscriber: Subscriber) -> None:
        """Show, where polls for a place of the group fail, for how long there was no answer."""
        if self._display is not None:
            self._lines[place].unanswered_since = subscriber.unanswered_since

    def updated(self, place: int, snapshot: JobData) -> None:
        """Show a snapshot of the Job in a place of the group."""
        if self._display is not None:
            line = self._lines[place]
            line.update(snapshot, loop_time())
            self._display.changed(line)

    def ended(self, place: int, error: BaseException | None) -> None:
        """Tell of the end of a wait: by an error, or because the Job has succeeded."""
        job = self._jobs.pop(place)
        if self._display is not None:
            is_timeout = error is not None and not job.is_terminal
            outcome = f"ended by {type(error).__name__}" if is_timeout else short(job.status)
            self._display.end(self._lines.pop(place), outcome, failed=error is not None)
        self._notify(job, WaitPhase.ENDED, error)

    def left(self, *, to_cancel: bool) -> None:
        """Tell that the waits which are not over are left.

        Args:
            to_cancel: Whether Hevo will be asked to cancel their Jobs.
        """
        if not has_loop():
            return
        fate = "cancelling in Hevo" if to_cancel else "goes on in Hevo"
        if self._display is not None:
            for line in self._lines.values():
                self._display.end(line, f"{fate}; no longer awaited", left=True, fate=fate)
        for job in self._jobs.values():
            self._notify(job, WaitPhase.ENDED, asyncio.CancelledError())
        self._jobs, self._lines = {}, {}

    def _notify(self, job: JobHandle, phase: WaitPhase, error: BaseException | None) -> None:
        if not self._observers:
            return
        pipeline_id, job_id = key_of(job)
        elapsed = loop_time() - self._began
        self._observers.notify(
            WaitEvent(
                pipeline_id=pipeline_id,
                job_id=job_id,
                phase=phase,
                elapsed=elapsed,
                status=job.status,
                error=error,
            )
        )
