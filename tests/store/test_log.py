"""The contract of every store: order, durability, and each record stored once."""

import asyncio
import itertools

import pytest

from chatctl.model.messages import Page
from chatctl.model.records import ReceiptStatus, RejectReason
from tests.support.logs import STORES, batch, messages, opened_log, page_messages, pages, receipt_rows, texts


@pytest.fixture(params=STORES)
def url(request, tmp_path):
    return STORES[request.param](tmp_path)


async def test_receipts_are_in_order_and_their_messages_can_be_read(url):
    async with opened_log(url) as log:
        assert log.head == log.first - 1
        futures = [log.append(batch(f"a{n}", f"b{n}", number=1 + 2 * n)) for n in range(50)]
        found = [line for future in futures for line in receipt_rows(await future)]
        assert [line[0] for line in found] == list(range(1, 101))
        assert {line[1] for line in found} == {ReceiptStatus.STORED}
        sequences = [line[2] for line in found]
        assert all(a < b for a, b in itertools.pairwise(sequences))
        assert log.head == sequences[-1]
        sent = [text for n in range(50) for text in (f"a{n}", f"b{n}")]
        assert await messages(log) == [(at, "lobby", "ann", text) for at, text in zip(sequences, sent, strict=True)]


async def test_a_duplicate_gets_the_original_receipt_also_after_a_restart(url):
    async with opened_log(url) as log:
        stored = receipt_rows(await log.append(batch("a", "b", "c")))
        log_id, head = log.id, log.head
    async with opened_log(url) as log:
        assert (log.id, log.head) == (log_id, head)
        whole = receipt_rows(await log.append(batch("a", "b", "c")))
        part = receipt_rows(await log.append(batch("b", number=2)))
        new = receipt_rows(await log.append(batch("d", number=4)))
        read = await texts(log)
    assert head == stored[-1][2]
    assert {line[1] for line in whole + part} == {ReceiptStatus.DUPLICATE}
    assert [line[2:] for line in whole] == [line[2:] for line in stored]
    assert part[0][2:] == stored[1][2:]
    assert new[0][1] is ReceiptStatus.STORED
    assert new[0][2] > head
    assert read == ["a", "b", "c", "d"]


async def test_a_stored_number_with_another_text_or_room_is_a_conflict(url):
    async with opened_log(url) as log:
        await log.append(batch("a", "b", "c"))
        other_text = await log.append(batch("a", "other", "c"))
        other_room = await log.append(batch("a", "b", room="den"))
        assert [line[1] for line in receipt_rows(other_text)] == [
            ReceiptStatus.DUPLICATE,
            ReceiptStatus.REJECTED,
            ReceiptStatus.DUPLICATE,
        ]
        assert [line[1] for line in receipt_rows(other_room)] == [ReceiptStatus.REJECTED] * 2
        conflicts = [receipt for receipt in other_text + other_room if receipt.status is ReceiptStatus.REJECTED]
        assert {receipt.reason for receipt in conflicts} == {RejectReason.CONFLICT}
        assert all("use another --input-id" in receipt.error for receipt in conflicts)
        assert await texts(log) == ["a", "b", "c"]


@pytest.mark.parametrize("between", ["", "\n", "\0", "\n\0"])
async def test_texts_that_only_match_when_joined_are_conflicts(url, between):
    async with opened_log(url) as log:
        await log.append(batch("warm"))
        await log.append(batch(f"a{between}b", "c", number=2))
        same = receipt_rows(await log.append(batch(f"a{between}b", "c", number=2)))
        other = receipt_rows(await log.append(batch("a", f"b{between}c", number=2)))
        assert [line[1] for line in same + other] == [ReceiptStatus.DUPLICATE] * 2 + [ReceiptStatus.REJECTED] * 2


async def test_an_input_resent_in_other_batches_gets_the_same_receipts(url):
    inputs = {input_id: [f"{input_id}{n}" for n in range(900)] for input_id in "xyz"}

    def pieces(log, size):
        for start in range(0, 900, size):
            for input_id, run in inputs.items():
                yield input_id, log.append(batch(*run[start : start + size], number=1 + start, input_id=input_id))

    async def send(log, size):
        found = {input_id: [] for input_id in inputs}
        for input_id, receipts in [*pieces(log, size)]:
            found[input_id] += receipt_rows(await receipts)
        return found

    async with opened_log(url) as log:
        stored = await send(log, 90)
        assert {line[1] for lines in stored.values() for line in lines} == {ReceiptStatus.STORED}
        for size in (7, 500, 900):
            again = await send(log, size)
            assert {line[1] for lines in again.values() for line in lines} == {ReceiptStatus.DUPLICATE}
            for input_id in inputs:
                assert [(line[0], *line[2:]) for line in again[input_id]] == [
                    (line[0], *line[2:]) for line in stored[input_id]
                ]


async def test_a_batch_that_overlaps_stored_ones_stores_only_new_records(url):
    async with opened_log(url) as log:
        await log.append(batch("3", "4", number=3))
        await log.append(batch("7", "8", number=7))
        receipts = receipt_rows(await log.append(batch(*"123456789")))
        assert [line[0] for line in receipts] == list(range(1, 10))
        assert [line[0] for line in receipts if line[1] is ReceiptStatus.DUPLICATE] == [3, 4, 7, 8]
        assert sorted(await texts(log)) == list("123456789")
        assert {line[1] for line in receipt_rows(await log.append(batch(*"123456789")))} == {ReceiptStatus.DUPLICATE}


async def test_concurrent_batches_with_the_same_numbers_are_stored_once(url):
    async with opened_log(url) as log:
        futures = [log.append(batch("a", "b", "c")) for _ in range(5)] + [log.append(batch("b", "c", "d", number=2))]
        first, *others, last = [receipt_rows(await future) for future in futures]
        assert {line[1] for line in first} == {ReceiptStatus.STORED}
        for other in others:
            assert {line[1] for line in other} == {ReceiptStatus.DUPLICATE}
            assert [line[2:] for line in other] == [line[2:] for line in first]
        assert [line[1] for line in last] == [ReceiptStatus.DUPLICATE, ReceiptStatus.DUPLICATE, ReceiptStatus.STORED]
        assert await texts(log) == ["a", "b", "c", "d"]


async def test_the_same_number_of_another_user_or_input_is_another_record(url):
    async with opened_log(url) as log:
        for user, input_id in itertools.product(("ann", "bob"), ("x", "y")):
            (receipt,) = await log.append(batch("a", user=user, input_id=input_id))
            assert receipt.status is ReceiptStatus.STORED
        assert len(await messages(log)) == 4


async def test_numbers_may_have_any_order_and_gaps(url):
    numbers = (2**53 - 1, 100, 1, 50)

    async with opened_log(url) as log:
        for status in (ReceiptStatus.STORED, ReceiptStatus.DUPLICATE):
            for number in numbers:
                (receipt,) = await log.append(batch(str(number), number=number))
                assert receipt.status is status
        assert await texts(log) == list(map(str, numbers))


async def test_a_batch_whose_future_was_cancelled_is_stored(url):
    async with opened_log(url) as log:
        log.append(batch("a")).cancel()
        (receipt,) = await log.append(batch("b", number=2))
        assert receipt.status is ReceiptStatus.STORED
        assert await texts(log) == ["a", "b"]


async def test_close_stores_what_was_appended(url):
    async with opened_log(url) as log:
        for number in range(1, 21):
            log.append(batch(*["x"] * 500, number=1 + 500 * (number - 1)))
    async with opened_log(url) as log:
        assert len(await messages(log)) == 10_000


async def test_times_never_decrease_when_the_clock_is_set_back(url, monkeypatch):
    async def at(log, seconds, number):
        monkeypatch.setattr("time.time_ns", lambda: seconds * 1_000_000_000)
        (receipt,) = await log.append(batch("x", number=number))
        return receipt.time

    async with opened_log(url) as log:
        times = [await at(log, 2000, 1), await at(log, 1000, 2)]
    async with opened_log(url) as log:
        times += [await at(log, 1500, 3), await at(log, 3000, 4)]
    assert times == [2_000_000_000, 2_000_000_000, 2_000_000_000, 3_000_000_000]


async def test_a_listener_gets_the_new_messages_of_its_rooms_until_it_unsubscribes(url):
    watched = [(), ("a",), ("a", "b", "a"), ("c",)]

    async with opened_log(url) as log:
        calls = {rooms: [] for rooms in watched}
        stops = [
            log.subscribe(rooms, lambda runs, size, seen=calls[rooms]: seen.append((log.head, runs, size)))
            for rooms in watched
        ]
        await log.append(batch("1", number=1, room="a"))
        await log.append(batch("1", number=1, room="a"))  # a duplicate does not raise the head
        await log.append(batch("2", number=2, room="b", user="bob"))
        await asyncio.gather(
            log.append(batch("1", "3", "4", number=1, room="a")),  # only a part of it is new
            log.append(batch("5", "6", number=10, room="b")),
            log.append(batch("7", number=12, room="a")),
        )
        everything = await messages(log)
        assert everything[-1][0] == log.first + 6
        for rooms in watched:
            seen = [message for head, runs, _ in calls[rooms] for message in page_messages(Page(runs, head))]
            assert seen == [message for message in everything if not rooms or message[1] in rooms]
            assert all(runs and runs[-1].sequence + len(runs[-1].texts) - 1 <= head for head, runs, _ in calls[rooms])
            assert all(size >= sum(len(text) for run in runs for text in run.texts) > 0 for _, runs, size in calls[rooms])
        stored = [run.time async for page in pages(log) for run in page.runs for _ in run.texts]
        assert stored == [run.time for _, runs, _ in calls[()] for run in runs for _ in run.texts]
        for stop in stops:
            stop()
        await log.append(batch("8", number=13, room="c"))
        assert calls["c",] == []
        assert log.head == log.first + 7


async def test_a_single_message_does_not_wait_behind_the_bulk_of_another_input(url):
    async with opened_log(url) as log:
        bulk = [log.append(batch(*["x"] * 1000, number=1 + 1000 * n, user="bulk")) for n in range(100)]
        (receipt,) = await log.append(batch("hello"))
        assert not bulk[-1].done()
        await asyncio.gather(*bulk)
        assert receipt.sequence - log.first < (log.head - log.first) / 2


async def test_a_listener_of_an_input_gets_its_new_messages_with_their_numbers(url):
    async with opened_log(url) as log:
        calls = []
        stop = log.subscribe(("lobby", "den"), lambda runs, size: calls.append((runs, size)), "build")
        everywhere = []
        stop_everywhere = log.subscribe((), lambda runs, size: everywhere.extend(runs), "build")
        await log.append(batch("a", "b", number=5, input_id="build"))
        await log.append(batch("b", "c", number=6, input_id="build"))
        await log.append(batch("x", input_id="other"))
        await log.append(batch("y", number=8, input_id="build", room="attic"))
        assert [(run.number, run.texts) for runs, _ in calls for run in runs] == [(5, ["a", "b"]), (7, ["c"])]
        assert [run.number for run in everywhere] == [5, 7, 8]
        assert [run async for page in pages(log, input_id="build") for run in page.runs] == everywhere
        stop()
        stop_everywhere()
        await log.append(batch("z", number=9, input_id="build"))
        assert len(calls) == 2


async def test_the_first_sequence_stays_when_messages_are_added(url):
    async with opened_log(url) as log:
        first = log.first
        await log.append(batch("a", "b"))
        assert log.first == first == log.head - 1
    async with opened_log(url) as log:
        assert log.first == first
