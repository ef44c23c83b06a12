"""Ends a real chatctl with a signal before a certain step: a line of the modules through which a message goes out."""

import os
import signal
from pathlib import Path

MODULES = ("history/run", "streams/stdout", "streams/json_lines", "history/cursor_file", "history/exec_command")

TRACE_SOURCE = f"""
import inspect, os, sys
number, last = map(int, os.environ.pop("STOP_AT").split())
ends = tuple(f"chatctl/cli/{{module}}.py" for module in {MODULES})
lines = 0

def trace(frame, event, _):
    global lines
    if not frame.f_code.co_filename.endswith(ends):
        return None
    # What runs as a module or class is made is no step, nor is each turn of a comprehension.
    if event == "line" and frame.f_code.co_flags & inspect.CO_OPTIMIZED and frame.f_code.co_name[0] != "<":
        lines += 1
        if lines == last:
            os.kill(os.getpid(), number)
    return trace

sys.settrace(trace)
"""


class KillAtLine:
    """Environments in which the next chatctl is ended so; the traces are put into a directory of their own."""

    def __init__(self, directory):
        directory.mkdir()
        (directory / "sitecustomize.py").write_text(TRACE_SOURCE)
        self._path = os.pathsep.join(filter(None, [str(directory), str(Path(__file__).parents[2])]))

    def __call__(self, number, step):
        return {"PYTHONPATH": self._path, "STOP_AT": f"{int(number)} {step}"}


KILL, TERM = signal.SIGKILL, signal.SIGTERM
