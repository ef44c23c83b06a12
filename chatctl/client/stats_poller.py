"""Polling of statistics: a response every few seconds, across restarts of the server."""

import asyncio
from collections.abc import AsyncGenerator

from chatctl.client.connector import Connector
from chatctl.client.retry import Attempts, RetryState
from chatctl.client.watchdog import ResponseWatchdog
from chatctl.model.stats import ServerStats
from chatctl.v1 import chat_pb2 as pb
from chatctl.wire.stats import server_stats_from_pb


class StatsPoller:
    """Polls GetStats and retries within the connector's timeout, which starts again with each response."""

    def __init__(self, connector: Connector, interval: float, request: pb.GetStatsRequest) -> None:
        """Use `ChatClient.watch_stats`."""
        self._connector = connector
        self._interval = interval
        self._request = request
        self._retry_state = RetryState(connector.server, connector.timeout, connector.notify)

    async def poll(self) -> AsyncGenerator[ServerStats, None]:
        """Yield statistics every `interval` seconds. Raises a TransientError after the timeout."""
        clock = asyncio.get_running_loop().time
        watchdog = ResponseWatchdog(self._connector.timeout, lambda: None, self._retry_state.notify_waiting)
        try:
            while True:
                watchdog.reset(expecting=True)
                async for attempt in Attempts(self._retry_state, watchdog):
                    with attempt:
                        started = clock()
                        server_stats = await self._fetch(watchdog.remaining)
                watchdog.reset(expecting=False)
                yield server_stats
                await asyncio.sleep(max(started + self._interval - clock(), 0))
        finally:
            watchdog.close()
            self._retry_state.close()

    async def _fetch(self, remaining: float) -> ServerStats:
        seconds = self._retry_state.attempt_timeout(remaining)
        async with self._connector.open_call(seconds, lambda stub: stub.GetStats(self._request)) as call:
            response = await call.response()
        self._retry_state.recovered()
        self._retry_state.made_progress()
        return server_stats_from_pb(response)
