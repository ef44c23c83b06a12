"""An app that crashes keeps its exception, and prints none of its local variables."""

import os

import pytest
from rich.traceback import Traceback
from textual.app import App

from chatctl.compat.textual_crash import QuietCrashApp


def crashing(base, in_worker=False):
    """Return an app that crashes as it starts."""

    class CrashingApp(base):
        def on_mount(self):
            if in_worker:
                self.run_worker(self.crash_now())
            else:
                self.fail()

        async def crash_now(self):
            self.fail()

        def fail(self):
            message = "a text " + "of another user"  # the whole text is in no line of the source
            raise KeyError(len(message))

    return CrashingApp()


@pytest.mark.parametrize("in_worker", [False, True])
async def test_a_crash_ends_the_app_and_prints_nothing(capsys, in_worker):
    app = crashing(QuietCrashApp, in_worker)
    await app.run_async(headless=True)
    assert isinstance(app.crash, KeyError)
    assert app.return_code == 1
    assert capsys.readouterr() == ("", "")


async def test_a_failure_of_the_input_thread_is_kept_too(capsys):
    class FailingApp(QuietCrashApp):
        def on_mount(self):
            try:
                os.read(-1, 1)
            except OSError:
                self.panic(Traceback())

    app = FailingApp()
    await app.run_async(headless=True)
    assert str(app.crash) == "OSError: [Errno 9] Bad file descriptor"
    assert (app.return_code, capsys.readouterr()) == (1, ("", ""))


@pytest.mark.library_fault
async def test_without_it_local_variables_are_printed(report_fault, capsys):
    await crashing(App).run_async(headless=True)
    printed = "".join(capsys.readouterr())
    report_fault("textual_crash", "textual", "a text of another user" in printed)
