"""What all tests of the client share."""

import pytest

from chatctl.client import retry


@pytest.fixture(autouse=True)
def report_each_break(monkeypatch):
    """Report also a break that is over at once: most tests end it as soon as they see that it was noticed."""
    monkeypatch.setattr(retry, "BRIEF_SECONDS", 0)
