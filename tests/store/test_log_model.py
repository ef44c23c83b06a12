"""The log against a small model, with random batches that overlap as much as possible."""

import asyncio
import tempfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chatctl.model.records import ReceiptStatus
from tests.support.logs import STORES, batch, messages, receipt_rows, run_on_log

TEXTS = st.sampled_from(["a", "b", "", "\n", "a\nb", "\0", "a\0b"])  # joined for a comparison they could be confused
RUNS = st.lists(TEXTS, min_size=1, max_size=4)
BATCHES = st.builds(
    lambda run, number, room, user, input_id: batch(*run, number=number, room=room, user=user, input_id=input_id),
    RUNS,
    st.integers(1, 9),
    st.sampled_from(["den", "lobby"]),
    st.sampled_from(["ann", "bob"]),
    st.sampled_from(["x", "y"]),
)
BURSTS = st.lists(BATCHES, min_size=1, max_size=6)  # appended at once
LIVES = st.lists(st.lists(BURSTS, max_size=4), min_size=1, max_size=3)  # the log is closed and opened between them


class Model:
    """What is stored under each (user, input id, number), with its first receipt."""

    def __init__(self):
        self.known = {}

    def check(self, sent, receipts):
        lines = receipt_rows(receipts)
        assert [line[0] for line in lines] == [sent.number + i for i in range(len(sent.texts))]
        for text, (number, status, sequence, time) in zip(sent.texts, lines, strict=True):
            key, what = (sent.user, sent.input_id, number), (sent.room, sent.user, text)
            if key not in self.known:
                assert status is ReceiptStatus.STORED
                self.known[key] = (what, sequence, time)
            elif self.known[key][0] == what:
                assert status is ReceiptStatus.DUPLICATE
                assert (sequence, time) == self.known[key][1:]
            else:
                assert status is ReceiptStatus.REJECTED

    @property
    def messages(self):
        return sorted((sequence, *what) for what, sequence, _ in self.known.values())


@pytest.mark.parametrize("store", STORES)
@settings(max_examples=60, deadline=None)
@given(lives=LIVES)
def test_the_log_agrees_with_the_model(store, lives):
    model = Model()

    async def live(log, bursts):
        for burst in bursts:
            futures = [log.append(each) for each in burst]
            for each, receipts in zip(burst, await asyncio.gather(*futures), strict=True):
                model.check(each, receipts)
            assert await messages(log) == model.messages
        stats = await log.stats(100, ())
        assert stats.num_messages == len(model.messages)

    with tempfile.TemporaryDirectory() as directory:
        run_on_log(STORES[store](directory), *[lambda log, bursts=bursts: live(log, bursts) for bursts in lives])


@pytest.mark.parametrize("store", STORES)
@settings(max_examples=60, deadline=None)
@given(run=st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=20))
def test_any_text_is_returned_unchanged(store, run):
    async def step(log):
        await log.append(batch(*run))
        assert [text for *_, text in await messages(log)] == run
        assert {line[1] for line in receipt_rows(await log.append(batch(*run)))} == {ReceiptStatus.DUPLICATE}
        assert (await log.stats(1, ())).stored_bytes == sum(len(text.encode()) for text in run)

    with tempfile.TemporaryDirectory() as directory:
        run_on_log(STORES[store](directory), step)
