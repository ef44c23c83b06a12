"""VerifyStream: verifies claims over as many calls as needed. Its VerifyWindow knows which claims have no result."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing, closing

from chatctl.client.call import Call
from chatctl.client.call_errors import STORE_HINT, UNIMPLEMENTED, outdated_server_error
from chatctl.client.connector import Connector
from chatctl.client.heartbeat import Heartbeat
from chatctl.client.retry import Attempts, RetryState
from chatctl.client.verify_window import MAX_REQUEST_CLAIMS, VerifyResult, VerifyWindow
from chatctl.client.watchdog import ResponseWatchdog
from chatctl.errors import CursorOtherLog, IncompatibleServer, LogChanged, Unavailable, UnexpectedStatus
from chatctl.model.claims import Claims
from chatctl.v1 import chat_pb2 as pb
from chatctl.wire import convert
from chatctl.wire.checks import check_count
from chatctl.wire.stats import server_stats_from_pb


class VerifyStream:
    """A verification of claims. Iterate over `results` once.

    A task reads the claims, and during each call another one writes them. The timeout, without a result that is due or
    without a server, ends it.
    """

    def __init__(self, connector: Connector) -> None:
        """Use `ChatClient.verify`."""
        self._connector = connector
        self._server = connector.server
        self._retry_state = RetryState(connector.server, connector.timeout, connector.notify)
        self._window = VerifyWindow()
        self._writer_wakeup = asyncio.Event()  # there may be something to write
        self._window_open = asyncio.Event()  # there may be space in the window
        self._input_ended = False
        self._input_error: Exception | None = None  # raised by the iteration over the claims
        self._wants_response = True
        self._responded = False  # whether there was ever a result

    async def results(self, batches: AsyncIterable[Claims]) -> AsyncGenerator[VerifyResult, None]:
        """Yield the result of each request, in order. Raises an error of `batches` after the results of earlier claims."""
        # It calls nothing on a timeout: the loop looks at the time that remains.
        self._watchdog = ResponseWatchdog(self._connector.timeout, lambda: None, self._retry_state.notify_waiting)
        feeder = asyncio.create_task(self._feed(batches))
        try:
            async for attempt in Attempts(self._retry_state, self._watchdog):
                with attempt:
                    async with aclosing(self._results_of_call()) as results:
                        async for result in results:
                            yield result
                if attempt.failure:
                    self._window.requeue()
        except CursorOtherLog:
            if not self._responded:
                raise
            raise LogChanged(
                f"{self._server} serves another log than before; nothing more was verified", STORE_HINT
            ) from None
        finally:
            self._watchdog.close()
            self._retry_state.close()
            feeder.cancel()
            await asyncio.wait({feeder})
        if self._input_error:
            raise self._input_error

    async def _feed(self, batches: AsyncIterable[Claims]) -> None:
        """Put the claims into the window, as fast as it has space."""
        try:
            async for batch in batches:
                self._window.put(batch)
                self._writer_wakeup.set()
                while self._window.full:
                    self._window_open.clear()
                    await self._window_open.wait()
        except Exception as error:
            self._input_error = error
        self._input_ended = True
        self._writer_wakeup.set()

    @property
    def _complete(self) -> bool:
        """Whether every claim has its result."""
        return self._input_ended and self._window.all_answered

    async def _results_of_call(self) -> AsyncGenerator[VerifyResult, None]:
        """Yield the results of the next call, which begins once there is a claim."""
        if self._complete:  # the last call broke at its end
            return
        version = await self._ask_limits()
        await self._wait_for_claims()
        if self._complete:
            return
        async with self._connector.open_call(self._call_timeout, lambda stub: stub.VerifyMessages()) as call:
            writer = asyncio.create_task(self._write_requests(call))
            writer.add_done_callback(lambda done: None if done.cancelled() or not done.exception() else call.close())
            try:
                async with aclosing(self._read_results(call)) as results:
                    async for result in results:
                        yield result
            except UnexpectedStatus as error:
                if self._responded or error.code != UNIMPLEMENTED or isinstance(error, IncompatibleServer):
                    raise
                raise outdated_server_error(self._server, "verification", version) from None
            finally:
                writer.cancel()
                await asyncio.wait({writer})
                if not writer.cancelled():
                    writer.result()
        if not self._complete:
            raise Unavailable(f"{self._server} ended the stream before it had verified every claim")

    @property
    def _call_timeout(self) -> float:
        return self._retry_state.attempt_timeout(self._watchdog.remaining)

    async def _ask_limits(self) -> str:
        """Keep to the server's limits, which may have changed since the last call. Return its version."""
        request = pb.GetStatsRequest(top=1)
        async with self._connector.open_call(self._call_timeout, lambda stub: stub.GetStats(request)) as call:
            server_stats = server_stats_from_pb(await call.response())
        self._retry_state.found_server()
        self._window.set_limit(server_stats.limits.batch_messages)
        return server_stats.version

    async def _wait_for_claims(self) -> None:
        """Wait until there is a claim to send, or the input has ended. Meanwhile no response is due."""
        while self._window.all_sent and not self._input_ended:
            self._retry_state.recovered()
            self._watchdog.reset(expecting=False)
            self._writer_wakeup.clear()
            await self._writer_wakeup.wait()
        self._watchdog.start()

    async def _read_results(self, call: Call) -> AsyncGenerator[VerifyResult, None]:
        while (response := await call.read()) is not None:
            check_count("faults", response.faults, MAX_REQUEST_CLAIMS)
            result = self._window.take_answer(response.num_messages, convert.faults_from_pb(response.faults))
            self._responded = True
            self._retry_state.made_progress()
            self._retry_state.recovered()
            self._writer_wakeup.set()
            if result.claims:
                self._wants_response = False  # the caller's time does not count
                self._reset_watchdogs(call)
                yield result
                self._wants_response = True
            self._reset_watchdogs(call)

    def _reset_watchdogs(self, call: Call) -> None:
        """Expect a response only while a request is in flight, or the end of the stream, and the caller waits for it."""
        expecting = self._wants_response and (self._window.awaits_answer or self._complete)
        call.watchdog.reset(expecting)
        self._watchdog.reset(expecting)

    async def _write_requests(self, call: Call) -> None:
        with closing(Heartbeat(self._writer_wakeup.set)) as heartbeat:
            while True:
                while batch := self._window.next_request():
                    self._window_open.set()
                    heartbeat.written()
                    if not await self._write(call, batch):
                        return
                if self._input_ended and self._window.all_sent:
                    self._expect_response(call)
                    await call.done_writing()
                    return
                self._writer_wakeup.clear()
                if heartbeat.take_due():
                    self._window.add_heartbeat()
                    if not await self._write(call, Claims("", ())):
                        return
                await self._writer_wakeup.wait()

    async def _write(self, call: Call, batch: Claims) -> bool:
        """Write a request. Return whether the call takes more; if not, reading raises the reason."""
        self._expect_response(call)
        prefix, claims = batch
        return await call.write(pb.VerifyMessagesRequest(cursor_prefix=prefix, claims=convert.claims_to_pb(claims)))

    def _expect_response(self, call: Call) -> None:
        if self._wants_response:
            call.watchdog.start()
            self._watchdog.start()
