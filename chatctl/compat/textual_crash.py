"""An app that keeps the exception that crashed it, instead of printing it.

Library: Textual 8.2. Private names: `App._handle_exception`, `App._return_code`, `App._exception`, `App._exception_event`.

Symptom without it: after a bug, Textual prints a traceback with the values of all local variables, which may be messages
of other users.

Delete it when scripts/check-workarounds reports that the traceback has no local variables.
"""

from typing import Any, TypeVar

from textual.app import App
from textual.worker import WorkerFailed

ReturnType = TypeVar("ReturnType")


class QuietCrashApp(App[ReturnType]):
    """Ends after an exception without a word. The caller of `run_async` reports `crash`."""

    crash: BaseException | None = None
    """The first exception that no code has handled."""

    def _handle_exception(self, error: Exception) -> None:
        self._return_code = 1
        if self.crash is None:
            self.crash = error.error if isinstance(error, WorkerFailed) else error
            self._exception = error  # run_test raises it
            self._exception_event.set()
        super().panic()  # closes the app; without arguments, it prints nothing

    def panic(self, *renderables: Any) -> None:
        for trace in (each.trace for each in renderables if hasattr(each, "trace")):  # of the thread that reads keys
            self.crash = self.crash or RuntimeError(f"{trace.stacks[0].exc_type}: {trace.stacks[0].exc_value}")
        self._return_code = 1
        super().panic()
