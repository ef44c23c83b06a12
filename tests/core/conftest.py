"""Followers in the process of a test, before a log that counts what it is asked."""

import pytest

from chatctl.core import feeds, history


@pytest.fixture
def soon(monkeypatch):
    """Quiet followers are told at once how far the log has come."""
    monkeypatch.setattr(feeds, "PROGRESS_INTERVAL_SECONDS", 0.02)
    monkeypatch.setattr(feeds, "PROGRESS_TICKS", 2)
    monkeypatch.setattr(history, "SEARCH_PROGRESS_SECONDS", 0)


@pytest.fixture
def unkept(monkeypatch):
    """What was just stored is not kept at hand: it is read from the log, as what comes in bulk is."""
    monkeypatch.setattr(feeds, "MAX_RECENT_RUNS", 0)
