"""What is under way: a line for each trigger and each wait, in groups that are counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from math import inf

from hevo_edge._text.durations import format_duration
from hevo_edge._text.printable import short

MAX_LINE_EACH = 5
"""Up to so many, each gets lines of its own; more are counted."""
MAX_SHOWN = 12
"""Up to so many, a live table shows each; of more, it shows those that failed last."""
MAX_LEFT = 10
"""How many of those are named that are left behind in Hevo."""
NameOf = Callable[[int], "str | None"]
"""Returns a Pipeline's name, if it is known."""


class Group:
    """Lines that are counted together.

    Attributes:
        noun: What they are, in the plural.
        began: The loop time (seconds) at which the first began.
        total: How many there are, with those that are over.
        over: How many are over.
        failed: How many of these with an error.
        left: How many are no longer waited for, and may go on.
        active: Those that are not over.
        ended: Those that are over, as far as a live table shows them.
    """

    def __init__(self, noun: str, now: float, total: int = 0) -> None:
        self.noun: str = noun
        self.began: float = now
        self.total: int = total
        self.over: int = 0
        self.failed: int = 0
        self.left: int = 0
        self.active: dict[Line, None] = {}
        self.ended: list[Line] = []
        self._fates: Counter[str] = Counter()
        self._left: dict[str, list[str]] = {}

    @property
    def is_counted(self) -> bool:
        """Whether there are too many to print lines of each."""
        return self.total > MAX_LINE_EACH

    @property
    def is_shown(self) -> bool:
        """Whether a live table shows each."""
        return self.total <= MAX_SHOWN

    def add(self, line: Line) -> None:
        """Add a line; it counts from then on, if the total was not given."""
        self.active[line] = None
        self.total = max(self.total, self.over + self.left + len(self.active))

    def replace(self, job_key: tuple[int, str]) -> None:
        """Show no longer what is over and has led to a Job: that has a line of its own now."""
        self.ended = [line for line in self.ended if line.job_key != job_key]

    def end(self, line: Line) -> None:
        """Count a line as over, or as left."""
        del self.active[line]
        self.left += line.is_left
        self.over += not line.is_left
        self.failed += line.is_failed
        if line.fate:
            self._fates[line.fate] += 1
            named = self._left.setdefault(line.fate, [])
            named += [line.ref] if len(named) < MAX_LEFT else []
        if line.is_failed or self.is_shown:
            self.ended = [*self.ended, line][-MAX_SHOWN:]

    def text(self, now: float) -> str:
        """Return the group in one sentence."""
        failures = f", {self.failed:,} of them with an error" if self.failed else ""
        listed = ", ".join(f"{count:,} {kind}" for kind, count in self.kinds().items())
        left = f"{self.total - self.over - self.left:,} to go" + (f" ({listed})" if listed else "")
        if self.left:
            left = f"{self.left:,} no longer waited for"
        return (
            f"{self.over:,} of {self.total:,} {self.noun} are over{failures}, {left}, "
            f"after {format_duration(now - self.began)}"
        )

    def left_behind(self) -> list[str]:
        """Return a sentence for each fate of what is left behind in Hevo."""
        sentences = []
        for fate, count in self._fates.items():
            named = self._left[fate]
            more = [f"and {count - len(named):,} more"] if count > len(named) else []
            sentences.append(f"{fate}: {', '.join([*named, *more])}")
        return sentences

    def kinds(self) -> dict[str, int]:
        """Count the active lines by what they are doing; what waits for a Job waits."""
        return Counter(filter(None, (line.kind for line in self.active)))


class Line:
    """One trigger or one wait.

    Args:
        pipeline_id: The Pipeline.
        name_of: Returns a Pipeline's name, if it is known.
        now: The loop time (seconds) at which it begins.
    """

    __slots__ = (
        "began",
        "ended_at",
        "fate",
        "group",
        "is_failed",
        "is_left",
        "name_of",
        "outcome",
        "pipeline_id",
    )

    def __init__(self, pipeline_id: int, name_of: NameOf, now: float) -> None:
        self.pipeline_id: int = pipeline_id
        self.name_of: NameOf = name_of
        self.began: float = now
        self.ended_at: float = inf
        self.group: Group | None = None
        self.outcome: str | None = None
        self.fate: str = ""
        self.is_failed: bool = False
        self.is_left: bool = False

    @property
    def pipeline(self) -> str:
        """The Pipeline's id, and its name where it is known."""
        name = self.name_of(self.pipeline_id)
        says_more = name is not None and name != f"Pipeline {self.pipeline_id}"
        return f"{self.pipeline_id} {short(name)}" if says_more else str(self.pipeline_id)

    @property
    def ref(self) -> str:
        """What it is about, as it is named where it is left behind."""
        return f"a run of Pipeline {self.pipeline_id}"

    @property
    def job(self) -> str:
        """The Job's id, once it is known."""
        return ""

    @property
    def type(self) -> str:
        """What is triggered, or the Job's type, once it is known."""
        return ""

    def state(self, now: float) -> str:
        """Return what it is doing."""
        raise NotImplementedError

    @property
    def kind(self) -> str:
        """What it is counted as, if that tells something: a Job that is awaited runs."""
        return ""

    def elapsed(self, now: float) -> float:
        """Return the seconds that it has taken."""
        return min(now, self.ended_at) - self.began

    @property
    def job_key(self) -> tuple[int, str] | None:
        """The Job that it is about, by Pipeline id and Job id, as soon as that is known."""
        return None

    def text(self, now: float) -> str:
        """Return the line to print for its last change, if that is worth one."""
        raise NotImplementedError

    def row(self, now: float) -> dict[str, object]:
        """Return what a table shows of it."""
        return {
            "Pipeline": self.pipeline,
            "Type": self.type,
            "Job": self.job,
            "State": self.outcome or self.state(now),
            "Elapsed": format_duration(self.elapsed(now)),
        }
