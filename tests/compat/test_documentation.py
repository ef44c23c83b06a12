"""Each workaround says what it is for, and has both kinds of tests."""

from pathlib import Path

import pytest

from chatctl import compat

FOLDER = Path(__file__).parent
MODULES = sorted(path.stem for path in Path(compat.__file__).parent.glob("[a-z]*.py"))


@pytest.mark.parametrize("module", MODULES)
def test_a_workaround_names_its_library_symptom_and_end(module):
    documentation = (Path(compat.__file__).parent / f"{module}.py").read_text().split('"""')[1]
    assert [word for word in ("Library:", "Symptom", "Delete") if word not in documentation] == []


@pytest.mark.parametrize("module", MODULES)
def test_a_workaround_has_a_test_and_a_check_of_the_library(module):
    tests = (FOLDER / f"test_{module}.py").read_text()
    assert tests.count("def test_") > tests.count("@pytest.mark.library_fault") >= 1
