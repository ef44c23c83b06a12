"""The size of what is read at once: half of all functions are tiny, none is long, and no module is."""

import ast
from statistics import median, quantiles

import pytest

from tests.meta.program import PACKAGE, source_files

MEDIAN, NINE_IN_TEN, LONGEST, LONGEST_BODY = 7, 20, 45, 35
MODULE = 250


def functions():
    """Each function: its place, its lines, and the lines of its body without docstring and signature."""
    for path in source_files():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.end_lineno - node.body[0].lineno + 1
                yield f"{path.relative_to(PACKAGE)}:{node.lineno} {node.name}", node.end_lineno - node.lineno + 1, body


@pytest.fixture(scope="module")
def measured():
    return list(functions())


def test_most_functions_are_short(measured):
    lines = [lines for _, lines, _ in measured]
    assert len(lines) > 500
    assert median(lines) <= MEDIAN
    assert quantiles(lines, n=10)[-1] <= NINE_IN_TEN


def test_no_function_is_long(measured):
    """Only a signature, such as the options of a command, may make one longer than the body may be."""
    assert [(place, lines) for place, lines, body in measured if lines > LONGEST or body > LONGEST_BODY] == []


def test_no_module_is_long():
    sizes = {str(path.relative_to(PACKAGE)): path.read_text().count("\n") for path in source_files()}
    assert {name: lines for name, lines in sizes.items() if lines > MODULE} == {}
