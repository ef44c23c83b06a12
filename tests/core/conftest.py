"""Fixtures for tests of feeds."""

import pytest

from chatctl.core import feeds, history


@pytest.fixture
def soon(monkeypatch):
    """Report progress to idle followers at once."""
    monkeypatch.setattr(feeds, "PROGRESS_INTERVAL_SECONDS", 0.02)
    monkeypatch.setattr(feeds, "PROGRESS_TICKS", 2)
    monkeypatch.setattr(history, "SEARCH_PROGRESS_SECONDS", 0)


@pytest.fixture
def unkept(monkeypatch):
    """Keep no recent messages in memory: followers read them from the log, as after a bulk load."""
    monkeypatch.setattr(feeds, "MAX_RECENT_RUNS", 0)
