"""What is sent: inputs whose texts tell whose they are, so that nothing has to be kept to recognise them."""

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
    """The input of one sender: records numbered from 1 to `count`, each with a text that no other record has.

    `input_id` is unique among all inputs and has no colon. `count` may grow.
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
        """All of it as lines, cut anywhere into pieces of these sizes, as a pipe would."""
        lines = "".join(f"{text}\n" for text in self.texts(1, self.count)).encode()
        at = 0
        while at < len(lines):
            size = rng.choice(sizes)
            yield lines[at : at + size]
            at += size


def parse_text(text):
    """The sender and the number that a text names; the number is 0 if it names none."""
    sender, _, rest = text.partition(":")
    digits = rest.partition(":")[0]
    return sender, int(digits) if digits.isdecimal() else 0
