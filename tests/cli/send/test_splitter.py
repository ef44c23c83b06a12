"""Input split into records: the same records for any chunks of the same bytes."""

import io
from itertools import pairwise

from hypothesis import example, given
from hypothesis import strategies as st

from chatctl.cli.streams.splitter import RecordSplitter

LIMIT = 24
SEPARATORS = (b"\n", b"\0", None)


def reference(data, separator, limit):
    """Each record as its text, or as the words that its refusal has to contain and its bytes with their separator."""
    ends = [] if separator is None else [at + 1 for at, byte in enumerate(data) if data[at : at + 1] == separator]
    if not ends or ends[-1] < len(data):
        ends.append(len(data))  # nothing comes after the last separator
    for start, end in pairwise([0, *ends]):
        whole = data[start:end]
        record = whole if separator is None else whole.removesuffix(separator)
        if len(record) > limit:
            yield (f"{len(record)} bytes", f"{limit}"), whole
        else:
            try:
                yield record.decode()
            except UnicodeDecodeError as error:
                yield ("UTF-8", f"0x{record[error.start]:02x} at position {error.start}"), whole


def cut(chunks, separator, limit=LIMIT, keep=lambda _: None):
    """The pieces that a RecordSplitter makes of the chunks, the most bytes it held between them, and the cutter itself."""
    cutter, pieces, held = RecordSplitter(separator, limit, keep), [], 0
    for chunk in chunks:
        pieces += cutter.feed(chunk)
        held = max(held, sum(len(value) for value in vars(cutter).values() if isinstance(value, bytes)))
    return [*pieces, *cutter.finish()], held, cutter


def assert_same(chunks, separator, limit=LIMIT):
    data, kept = b"".join(chunks), []
    pieces, held, cutter = cut(chunks, separator, limit, kept.append)
    found = [record for piece in pieces for record in (piece if isinstance(piece, list) else [piece])]
    expected = list(reference(data, separator, limit)) if data else []
    assert len(found) == len(expected)
    refused = io.BytesIO(b"".join(kept))
    for got, wanted in zip(found, expected, strict=True):
        if isinstance(wanted, str):
            assert got == wanted
        else:
            assert all(word in got.error for word in wanted[0])
            assert refused.read(got.size) == wanted[1]
    assert not refused.read()
    assert cutter.position == len(data)
    assert cutter.unterminated == (not data.endswith(separator) if separator and data else bool(data))
    assert all(pieces), "a piece without a record"
    assert held <= limit + 1  # and the separator


spans = st.sampled_from(
    [b"\n", b"\n", b"\0", b"\r\n", b"a", "ä".encode(), "€".encode(), "𝄞".encode(), b"\xff", b"\xed\xa0\x80"]
)
spans |= st.binary(max_size=12) | st.integers(1, 2 * LIMIT).map(lambda size: b"x" * size)
inputs = st.lists(spans, max_size=60).map(b"".join)


def chunked(data, places):
    edges = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@given(inputs, st.lists(st.integers(0, 5000), max_size=20), st.sampled_from(SEPARATORS))
@example(b"", [], b"\n")
@example(b"\n", [], b"\n")
@example(b"a\n\nb\n", [], b"\n")
@example(b"x" * LIMIT + b"\n" + b"x" * (LIMIT + 1) + b"\n", [], b"\n")
@example(b"x" * (LIMIT + 1), [3], None)
@example("ä\n".encode(), [1], b"\n")
@example(b"x" * 99 + b"\nnext\n", [50, 98, 99, 100], b"\n")
def test_the_records_do_not_depend_on_how_the_bytes_come_in(data, places, separator):
    assert_same(chunked(data, places), separator)


@given(inputs, st.sampled_from(SEPARATORS))
def test_byte_by_byte_is_the_same_as_all_at_once(data, separator):
    assert_same([data[i : i + 1] for i in range(len(data))], separator)


@given(inputs, st.sampled_from(SEPARATORS), st.integers(1, 200))
def test_any_limit_is_kept_to_the_byte(data, separator, limit):
    assert_same([data], separator, limit)


def test_a_record_without_end_is_not_held():
    for separator in SEPARATORS:
        pieces, held, _ = cut((b"x" * 100_000 for _ in range(1000)), separator, limit=65_536)
        assert len(pieces) == 1
        assert "100000000 bytes" in pieces[0].error
        assert held <= 65_536


def test_good_lines_come_in_one_piece():
    assert cut([b"one\ntwo\nthree\n"], b"\n")[0] == [["one", "two", "three"]]


def test_the_position_is_the_end_of_the_last_whole_record():
    cutter = RecordSplitter(b"\n", LIMIT)
    for chunk, position in ((b"one\ntw", 4), (b"o\nthr", 8), (b"x" * 99, 8), (b"x\n", 112), (b"end", 112)):
        list(cutter.feed(chunk))
        assert cutter.position == position
