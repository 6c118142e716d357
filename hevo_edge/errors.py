"""The errors of hevo_edge: one class per decision that a caller makes.

Every error can be pickled (so it crosses process borders), and carries what is needed to continue:
the last snapshot of the Job, or the ticket of the trigger. No error ever contains credentials, and
its message is one line of bounded length, whatever a server sent.

::

    HevoError
    ├── ConfigurationError            the call is wrong; nothing was sent
    ├── RequestError                  one HTTP request failed
    │   ├── RequestNotSent            it certainly never reached Hevo: safe to repeat
    │   ├── RequestOutcomeUnknown     it may have reached Hevo
    │   ├── UnexpectedResponse        the reply is not of a form that the API is known to send
    │   └── ApiError                  Hevo answered with an error status
    │       ├── AuthenticationError   401, and 407 from a proxy
    │       ├── PermissionDenied      403
    │       ├── NotFound              404
    │       ├── JobInProgress         a Job of the Pipeline is running
    │       ├── RateLimited           429
    │       └── ServerError           5xx, 408 and its kin, and any page of a gateway
    ├── PipelineNotReady              the Pipeline's state does not allow a run
    ├── TriggerTimeout                the time-out of a trigger passed before anything was sent
    ├── TriggerError                  the run was, or may have been, started; carries the ticket
    │   ├── TriggerOutcomeUnknown     it cannot be known whether a run was started
    │   └── JobNotFoundAfterTrigger   Hevo accepted, but no Job has shown up
    ├── JobDidNotSucceed              the Job ended, but not well
    │   ├── JobFailed, JobCompletedWithFailures, JobCancelled, JobSkipped, JobDeferred
    └── JobTimeout                    the deadline passed before the Job was seen to end
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hevo_edge._text.mime_bundle import HasMimeBundle
from hevo_edge._text.printable import printable, short

if TYPE_CHECKING:
    from hevo_edge.job import Job
    from hevo_edge.models import JobData
    from hevo_edge.triggering import TriggerTicket


class HevoError(HasMimeBundle, Exception):
    """The base of every error that hevo_edge raises on purpose.

    Attributes:
        job: The Job that it is about; None when it is about none, or about several.
    """

    job: Job | None = None

    def __init__(self, *args: object) -> None:
        super().__init__(*(printable(arg) if isinstance(arg, str) else arg for arg in args))

    def _html(self) -> str:
        # Not loaded by a DAG file that imports the errors' names.
        from hevo_edge._text import html  # noqa: PLC0415

        message, advice = getattr(self, "message", self), getattr(self, "advice", "")
        parts = [html.paragraph(f"{type(self).__name__}: {message}")]
        if self.job is not None:
            parts.append(self.job._repr_mimebundle_(include=["text/html"])["text/html"])
        if advice:
            parts.append(html.paragraph(advice))
        return "".join(parts)

    def __reduce__(self) -> tuple[Any, ...]:
        # Restored without __init__, so that subclasses are free in their signatures.
        return _restore, (type(self), self.args, self.__dict__)


def _restore(cls: type[HevoError], args: tuple[Any, ...], state: dict[str, Any]) -> HevoError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class ConfigurationError(HevoError, ValueError):
    """A parameter is missing or wrong. Raised before any request.

    Only a mistake in a caller's own schedule is raised later, at its first invalid interval; and a
    name that no object of the Pipeline has, when they were read and before anything is changed.
    """


class RequestError(HevoError):
    """One request failed.

    Attributes:
        message: What happened.
        method: The HTTP method.
        path: The path, without host.
        attempts: How many times the request was tried.
        elapsed: Seconds from the first attempt's start to the failure.
        transient: Whether the same request may succeed soon, without any change.
    """

    transient: bool = False

    def __init__(
        self,
        message: str,
        *,
        method: str = "",
        path: str = "",
        attempts: int = 1,
        elapsed: float = 0.0,
    ) -> None:
        super().__init__(message)
        self.message: str = self.args[0]
        self.method = method
        self.path = path
        self.attempts = attempts
        self.elapsed = elapsed

    def __str__(self) -> str:
        if not self.method:
            return self.message
        tries = "1 attempt" if self.attempts == 1 else f"{self.attempts} attempts"
        return f"{self.method} {self.path}: {self.message} ({tries}, {self.elapsed:.1f} s)"


class RequestNotSent(RequestError):
    """The request certainly never reached Hevo; nothing has happened there.

    It is not ``transient`` when a certificate cannot be verified, or a proxy refuses to connect.
    """

    transient: bool = True


class RequestOutcomeUnknown(RequestError):
    """The request may have reached Hevo, but no usable reply came back.

    A read can simply be repeated. An action may have taken effect: check that before you repeat it.
    It is not ``transient`` when its cause is no error of the network, such as the TypeError of a
    middleware in a session of yours.
    """

    transient: bool = True


class UnexpectedResponse(RequestError):
    """The reply is not of a form that the API is known to send.

    Attributes:
        status: The HTTP status.
        body: The start of the body, as text.

    It is ``transient`` when a broken proxy may have garbled the body.
    """

    def __init__(
        self, message: str, *, status: int | None = None, body: str = "", **context: Any
    ) -> None:
        super().__init__(message, **context)
        self.status = status
        self.body = body


class ApiError(RequestError):
    """Hevo answered with a status that is no success.

    Attributes:
        status: The HTTP status; None when hevo_edge itself refused, after reading the Pipeline.
        code: Hevo's error code such as ``PIPELINE_NOT_FOUND``, when the body names one.
        body: The body of the reply as text, shortened.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        body: str = "",
        retry_after: float | None = None,
        **context: Any,
    ) -> None:
        super().__init__(message, **context)
        self.status = status
        self.code = code
        self.body = body
        self.retry_after = retry_after
        """Seconds that the server asked to wait, or None when it did not say."""


class AuthenticationError(ApiError):
    """401: the key or the secret is wrong, or belongs to another region.

    Also 407: a proxy refuses its credentials. Nothing was sent to Hevo.
    """


class PermissionDenied(ApiError):
    """403: the key's role does not allow this."""


class NotFound(ApiError):
    """404: no such Pipeline, Job or object, or it is not visible to this key."""


class JobInProgress(ApiError):
    """A Job of the Pipeline is running, so no other can start.

    Attributes:
        job: The running Job, when it could be found.
    """

    def __init__(self, message: str, *, job: Job[JobData] | None = None, **context: Any) -> None:
        super().__init__(message, **context)
        # It never changes.
        self.job: Job[JobData] | None = job  # pyright: ignore[reportIncompatibleVariableOverride]


class RateLimited(ApiError):
    """429: too many calls in a minute; ``retry_after`` says for how long, if Hevo did."""

    transient: bool = True


class ServerError(ApiError):
    """5xx: Hevo, or a proxy in front of it, has a problem.

    So do 408, 425, 444, 460 and 499, which proxies and gateways send when no reply came from behind
    them, and redirects and HTML pages of whatever status, which Hevo does not send. An action may
    have taken effect.

    Attributes:
        from_gateway: Whether it is a redirect or an HTML page of a status below 500.
    """

    transient: bool = True
    from_gateway: bool = False


class PipelineNotReady(HevoError):
    """The Pipeline is in a state in which no run can start.

    Attributes:
        status: The Pipeline's status.
        pipeline_id: The Pipeline.
    """

    def __init__(self, message: str, *, status: str, pipeline_id: int) -> None:
        super().__init__(message)
        self.status: str = short(status)
        self.pipeline_id = pipeline_id


class TriggerTimeout(HevoError, TimeoutError):
    """The time-out of a trigger passed before its POST; nothing was started.

    Attributes:
        pipeline_id: The Pipeline.
        phase: What the trigger was doing, in words; empty where that is not known.
    """

    def __init__(self, message: str, *, pipeline_id: int, phase: str = "") -> None:
        super().__init__(message)
        self.pipeline_id = pipeline_id
        self.phase = phase


class TriggerError(HevoError):
    """A run was, or may have been, started, but its Job is not known.

    Attributes:
        ticket: The ticket; pass it to ``HevoClient.reconcile`` or ``HevoClient.fire``.
    """

    def __init__(self, message: str, *, ticket: TriggerTicket) -> None:
        super().__init__(message)
        self.ticket = ticket


class TriggerOutcomeUnknown(TriggerError):
    """It cannot be known (yet) whether a run was started."""


class JobNotFoundAfterTrigger(TriggerError):
    """Hevo accepted the trigger, but no matching Job was listed in time."""


class JobDidNotSucceed(HevoError):
    """The Job ended in a status that is neither success nor accepted.

    Attributes:
        job: The Job, with its last snapshot in ``job.data``.
        message: What happened.
        advice: What to do next.
    """

    def __init__(self, message: str, *, job: Job[JobData], advice: str = "") -> None:
        super().__init__(message)
        # It never changes.
        self.job: Job[JobData] = job  # pyright: ignore[reportIncompatibleVariableOverride]
        self.message: str = self.args[0]
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.message}; {self.advice}" if self.advice else self.message


class JobFailed(JobDidNotSucceed):
    """The Job ended FAILED."""


class JobCompletedWithFailures(JobDidNotSucceed):
    """The Job ended COMPLETED_WITH_FAILURES, and that was not accepted."""


class JobCancelled(JobDidNotSucceed):
    """The Job ended CANCELLED."""


class JobSkipped(JobDidNotSucceed):
    """The Job is SKIPPED: its scheduled start came while another Job was running."""


class JobDeferred(JobDidNotSucceed):
    """The Job ended DEFERRED, in part: the source's rate limit was hit.

    What had been ingested until then is loaded, and the next run goes on from there; nobody need do
    anything. ``accept=("DEFERRED",)`` counts it as success.
    """


class JobTimeout(HevoError, TimeoutError):
    """The deadline passed, and the Job was not seen to end.

    The message says that it goes on in Hevo where the final poll has found it running; else when it
    was last read, if ever, and why the final poll failed, which is the cause as well.

    Attributes:
        job: The Job with its last snapshot; None when no Job had started.
    """

    def __init__(self, message: str, *, job: Job | None) -> None:
        super().__init__(message)
        self.job = job
