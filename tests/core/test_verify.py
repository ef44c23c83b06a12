"""Verification: every wrong claim is found, with the kind of its fault, and no other."""

import random
from hashlib import sha256

import pytest

from chatctl import errors
from chatctl.core import verify
from chatctl.core.chat import Chat
from chatctl.model.claims import Claim, Fault, FaultKind
from chatctl.model.limits import Limits
from tests.support.logs import batch, messages, opened_log


@pytest.fixture
def url(tmp_path):
    return f"sqlite:{tmp_path}/chat.db"


def digest(text):
    return sha256(text.encode()).digest()


async def mixture(log):
    """Store messages of several rooms and users, in runs and alone. Returns the claims that hold for them."""
    number = 1
    for turn in range(1, 61):
        for run in ([f"{turn}"], [f"{turn}.{i} ü" for i in range(turn)]):
            await log.append(batch(*run, number=number, room=f"room{turn % 3}", user=f"user{turn % 2}"))
            number += len(run)
    return [Claim(sequence, room, user, digest(text)) for sequence, room, user, text in await messages(log)]


async def faults(log, claims):
    return await verify.find_faults(Chat(log, Limits()), claims)


PLANTS = {
    FaultKind.MISSING: lambda claim: claim._replace(sequence=claim.sequence + 1_000_000),
    FaultKind.OTHER_ROOM: lambda claim: claim._replace(room="elsewhere", user="eve", digest=digest("")),
    FaultKind.OTHER_USER: lambda claim: claim._replace(user="eve", digest=digest("")),
    FaultKind.OTHER_TEXT: lambda claim: claim._replace(digest=digest("another")),
}


@pytest.mark.parametrize("order", ["rising", "falling", "shuffled", "sparse", "twice"])
async def test_planted_faults_are_found_and_nothing_else(url, order):
    async with opened_log(url) as log:
        claims = await mixture(log)
        chance = random.Random(order)
        if order == "falling":
            claims.reverse()
        if order == "sparse":
            claims = claims[::7]
        if order == "twice":
            claims += claims
        if order in ("shuffled", "twice"):
            chance.shuffle(claims)
        assert await faults(log, claims) == []
        planted = {at: chance.choice(list(PLANTS)) for at in chance.sample(range(len(claims)), 60)}
        claims = [PLANTS[planted[at]](claim) if at in planted else claim for at, claim in enumerate(claims)]
        expected = [Fault(at, claims[at].sequence, kind) for at, kind in sorted(planted.items())]
        assert await faults(log, claims) == expected


async def test_different_claims_about_one_message_are_independent(url):
    async with opened_log(url) as log:
        claims = (await mixture(log))[:1]
        claims = [PLANTS[FaultKind.OTHER_TEXT](claims[0]), claims[0], PLANTS[FaultKind.OTHER_USER](claims[0])]
        assert await faults(log, claims) == [Fault(0, 1, FaultKind.OTHER_TEXT), Fault(2, 1, FaultKind.OTHER_USER)]


async def test_messages_are_missing_from_an_empty_log_and_after_the_head(url):
    async with opened_log(url) as log:
        missing = [Claim(sequence, "lobby", "ann", digest("")) for sequence in (1, 2**63 - 1, 2)]
        assert [fault.kind for fault in await faults(log, missing)] == [FaultKind.MISSING] * 3
        assert await faults(log, []) == []
        await log.append(batch("", number=1))
        assert await faults(log, missing) == [Fault(1, 2**63 - 1, FaultKind.MISSING), Fault(2, 2, FaultKind.MISSING)]


async def test_long_texts_are_compared_whole_and_in_small_pages(url):
    async with opened_log(url) as log:
        texts = [f"{'x' * 65_000}{n}" for n in range(100)]
        for n, text in enumerate(texts, 1):
            await log.append(batch(text, number=n))
        pages = []

        class Watched:
            head = log.head

            async def lookup(self, sequences):
                pages.append(await log.lookup(sequences))
                return pages[-1]

        claims = [Claim(n, "lobby", "ann", digest(text)) for n, text in enumerate(texts, 1)]
        claims[41] = claims[41]._replace(digest=digest(texts[42]))
        assert await verify.find_faults(Chat(Watched(), Limits()), claims) == [Fault(41, 42, FaultKind.OTHER_TEXT)]
        assert max(sum(len(message.text) for message in page.messages.values()) for page in pages) <= 256 * 1024


@pytest.mark.parametrize(("sequence", "size"), [(0, 32), (-1, 32), (2**63, 32), (1, 0), (1, 31), (1, 64)])
async def test_an_invalid_claim_is_rejected(url, sequence, size):
    async with opened_log(url) as log:
        await mixture(log)
        with pytest.raises(errors.InvalidRequest):
            await faults(log, [Claim(sequence, "lobby", "ann", b"x" * size)])


@pytest.mark.parametrize(
    ("prefix", "kind"),
    [
        ("0123456789ab:", errors.CursorOtherLog),
        ("LOG", errors.CursorMalformed),
        ("LOG:1", errors.CursorMalformed),
        ("", errors.CursorMalformed),
        (":", errors.CursorMalformed),
        ("x" * 100_000, errors.CursorMalformed),
    ],
    ids=lambda value: str(value)[:20],
)
async def test_only_cursors_of_this_log_are_accepted(url, prefix, kind):
    async with opened_log(url) as log:
        chat = Chat(log, Limits())
        verify.validate_cursor_prefix(chat, chat.cursor_prefix)
        with pytest.raises(kind) as refused:
            verify.validate_cursor_prefix(chat, prefix.replace("LOG", log.id))
        assert len(str(refused.value)) < 300
