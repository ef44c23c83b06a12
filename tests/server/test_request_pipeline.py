"""RequestPipeline in the test's own event loop: what counts as in flight."""

import asyncio

import pytest

from chatctl.model.records import Receipt, ReceiptStatus
from chatctl.server.request_pipeline import InFlight, RequestPipeline
from tests.support.waiting import TIMEOUT_SECONDS

SIZE = 100
REJECTED = Receipt(1, 1, ReceiptStatus.REJECTED)


async def one_request():
    yield "request"
    await asyncio.Event().wait()


def future():
    return asyncio.get_running_loop().create_future()


@pytest.mark.parametrize("parts", ["F", "RF", "FR", "RFR", "FRF", "RFRFR", "R", "RR"])
async def test_a_request_counts_in_full_until_its_last_part_is_stored(parts):
    in_flight, wakeup = InFlight(), asyncio.Event()
    pending = [future() if part == "F" else REJECTED for part in parts]
    pipeline = RequestPipeline(one_request(), lambda request: SIZE, lambda request: pending, wakeup, in_flight)
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            await wakeup.wait()
            for stored in [part for part in pending if part is not REJECTED]:
                assert in_flight.bytes == SIZE
                wakeup.clear()
                stored.set_result([Receipt(1, 1, ReceiptStatus.STORED)])
                await wakeup.wait()
        assert in_flight.bytes == 0, "what is rejected holds no texts"
        assert len(pipeline.pop_receipts()) == len(parts)
    finally:
        await pipeline.close()


async def test_each_server_counts_its_own_requests():
    first, second = InFlight(), InFlight()
    first.bytes += SIZE
    assert second == InFlight(bytes=0)
