"""Output without what varies from run to run."""

import re
from collections.abc import Mapping

# What varies: replaced by zeros of the same form, so that the golden files still show the form.
_TIMES = re.compile(r"\b\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d\.\d+Z| \d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d)|(?= [+-]\d\d:\d\d))")
_RULES: list[tuple[re.Pattern[str], str]] = [
    (
        re.compile(r"( answers at \S+ | broke )\(.*?\)(?=: start |; gave up |; trying )"),
        r"\g<1>(WHY)",
    ),  # in the words of grpc
    (re.compile(r"\b[0-9a-f]{16}\b"), "INPUT"),
    (re.compile(r"\b[0-9a-f]{12}(?=[:;\s\"',)]|$)"), "OTHER_LOG"),
    (re.compile(r"127\.0\.0\.1:\d+(?= (?:connected|speaks|was refused))"), "CLIENT"),
    (re.compile(r"(?<=under fault )[0-9a-f]{8}|(?<=, fault )[0-9a-f]{8}"), "FAULT"),
    (re.compile(r'("pid": )\d+'), r"\g<1>0"),
    (re.compile(r'("[a-z_0-9]+": )\d+\.\d+(?:e-\d+)?'), r"\g<1>0.0"),
    (re.compile(r'("messages": )\[[0-9, ]+\]'), r"\g<1>[...]"),
    (re.compile(r"^(uptime +).*", re.MULTILINE), r"\g<1>0s"),
    (re.compile(r"[0-9.,]+/s\b"), "0/s"),
    (re.compile(r"(^commit +|  commit ).*", re.MULTILINE), r"\g<1>0 ms"),
    (re.compile(r"(^|^ *\d+  )\d\d:\d\d:\d\d(?=Z?  )", re.MULTILINE), r"\g<1>00:00:00"),
    (re.compile(r"(?<=── )\w{3}(?= 0000-)"), "Day"),
]


def without_what_varies(text: str, names: Mapping[str, str], version: str) -> str:
    """The text with names in place of these values, and of times, durations, versions and random ids."""
    for value in sorted(names, key=len, reverse=True):
        text = text.replace(value, names[value])
    if version:
        release = re.escape(version.partition("+")[0])  # a checkout adds its commit, and whether it has changes
        text = re.sub(rf"(?<![\w.]){release}(\+g[0-9a-f]+)?(\.dirty)?(?![\w.]*\w)", "VERSION", text)
    text = _TIMES.sub(lambda time: re.sub(r"\d", "0", time[0]), text)
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text
