"""The keys and pastes that Textual reads after `textual_keys.install`."""

import pytest
from textual import events
from textual.drivers import linux_driver

from chatctl.compat import textual_keys


@pytest.fixture(autouse=True)
def installed():
    textual_keys.install()


@pytest.mark.parametrize(
    ("sent", "keys"),
    [
        ("\r", ["enter"]),
        ("\n", ["ctrl+j"]),
        ("\x1b\r", ["ctrl+j"]),
        ("\x1b\n", ["ctrl+j"]),
        ("\x1b[13;3u", ["alt+enter"]),
        ("\x1b1", ["alt+1"]),
    ],
)
def test_keys_are_recognised_as_terminals_send_them(sent, keys):
    parser = linux_driver.XTermParser()
    assert [event.key for part in (sent, "") for event in parser.feed(part)] == keys


@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 6, 7, 100, 1000])
def test_an_escape_in_a_paste_types_nothing(chunk):
    pasted = "make\x1b\rnow \x1b[31mred\x1b[0m\n\x1b\x1b[20\x1b]0;title\x07 " + "and more " * 9 + "\x1b"
    sent = f"a\x1b[200~{pasted}\x1b[201~\r\x1b[A\x1b[200~two\x1b[201~b"
    parser = linux_driver.XTermParser()
    events_seen = [event for at in range(0, len(sent), chunk) for event in parser.feed(sent[at : at + chunk])]
    assert [event.text if isinstance(event, events.Paste) else event.key for event in events_seen] == [
        "a", pasted.replace("\x1b", ""), "enter", "up", "two", "b"
    ]  # fmt: skip
