"""Counts of open streams: each count falls when the stream ends, by an error too."""

import contextlib

import pytest

from chatctl.errors import ServerStopping, TooManyStreams
from chatctl.server.stream_registry import StreamRegistry


async def test_each_count_falls_when_its_block_ends_even_by_an_error():
    streams = StreamRegistry(1)
    with contextlib.suppress(KeyError), streams.open(), streams.receiving(), streams.sending():
        assert (streams.followers, streams.senders) == (1, 1)
        with pytest.raises(TooManyStreams, match=r"limit is 1: .* --streams"), streams.counted():
            pass
        with streams.wakeup():  # the limit does not count it
            pass
        raise KeyError
    assert (streams.followers, streams.senders) == (0, 0)
    with streams.counted():
        pass


async def test_a_registry_that_stops_wakes_every_stream_and_opens_none():
    streams = StreamRegistry(10)
    with streams.open() as first, streams.wakeup() as second:
        streams.stop()
        assert streams.stopping
        assert first.is_set()
        assert second.is_set()
    for opened in (streams.counted, streams.wakeup, streams.open):
        with pytest.raises(ServerStopping), opened():
            pass
