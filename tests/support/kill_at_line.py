"""Sends a signal to a real chatctl before a given line of the modules that write messages."""

import os
import signal
from pathlib import Path

MODULES = ("history/run", "streams/stdout", "streams/json_lines", "history/cursor_file", "history/exec_command")

TRACE_SOURCE = f"""
import inspect, os, sys
number, last, again = map(int, os.environ.pop("STOP_AT").split())
ends = tuple(f"chatctl/cli/{{module}}.py" for module in {MODULES})
lines = 0

def trace(frame, event, _):
    global lines
    if not frame.f_code.co_filename.endswith(ends):
        return None
    # Lines of module and class bodies are not counted, nor the turns of a comprehension.
    if event == "line" and frame.f_code.co_flags & inspect.CO_OPTIMIZED and frame.f_code.co_name[0] != "<":
        lines += 1
        if lines == last or lines == again:
            os.kill(os.getpid(), number)
    return trace

sys.settrace(trace)
"""


class KillAtLine:
    """Makes environments in which chatctl gets a signal before a line; `directory` holds the tracing code."""

    def __init__(self, directory):
        directory.mkdir()
        (directory / "sitecustomize.py").write_text(TRACE_SOURCE)
        self._path = os.pathsep.join(filter(None, [str(directory), str(Path(__file__).parents[2])]))

    def __call__(self, number, step, again=0):
        """`again`: a line before which it gets the signal once more."""
        return {"PYTHONPATH": self._path, "STOP_AT": f"{int(number)} {step} {again}"}


KILL, TERM = signal.SIGKILL, signal.SIGTERM
