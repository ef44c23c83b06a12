"""Settings of followers in the process of a test."""

import pytest

from chatctl.core import feeds, history


@pytest.fixture
def quick_progress(monkeypatch):
    """Report progress to followers without matches at once."""
    monkeypatch.setattr(feeds, "PROGRESS_INTERVAL_SECONDS", 0.02)
    monkeypatch.setattr(feeds, "PROGRESS_TICKS", 2)
    monkeypatch.setattr(history, "SEARCH_PROGRESS_SECONDS", 0)


@pytest.fixture
def uncached(monkeypatch):
    """Keep no recent messages: feeds read from the log, as they do after bulk."""
    monkeypatch.setattr(feeds, "MAX_RECENT_RUNS", 0)
