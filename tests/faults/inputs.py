"""The inputs that are sent. Each text names its input and number, so that a message is identified without a table."""

from dataclasses import dataclass

WORDS = (
    "",
    "plain words",
    "ümlaut 😀",
    "tab\there",
    " spaces ",
    '"quoted" \\n {braces}',
    "carriage return\r",
    "x" * 300,
)


@dataclass
class Input:
    """One input: records numbered from 1 to `count`, each with a unique text.

    `input_id` is unique and has no colon. `count` may grow.
    """

    user: str
    input_id: str
    room: str
    count: int

    def text(self, number):
        return f"{self.input_id}:{number}:{WORDS[number % len(WORDS)]}"

    def texts(self, first, last):
        return [self.text(number) for number in range(first, last + 1)]

    def pieces(self, sizes, rng):
        """Yield the texts as lines, cut at any byte into pieces of these sizes, as a pipe does."""
        lines = "".join(f"{text}\n" for text in self.texts(1, self.count)).encode()
        at = 0
        while at < len(lines):
            size = rng.choice(sizes)
            yield lines[at : at + size]
            at += size


def parse_text(text):
    """Return the input id and the number that a text names; the number is 0 if it names none."""
    input_id, _, rest = text.partition(":")
    digits = rest.partition(":")[0]
    return input_id, int(digits) if digits.isdecimal() else 0
