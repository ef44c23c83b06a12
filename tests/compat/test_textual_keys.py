"""The keys and pastes that Textual reads after `textual_keys.install`."""

import inspect

import pytest
from textual import events
from textual._xterm_parser import XTermParser
from textual.drivers import linux_driver

from chatctl.compat import textual_keys


@pytest.fixture
def installed():
    textual_keys.install()


@pytest.mark.usefixtures("installed")
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


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 6, 7, 100, 1000])
def test_an_escape_in_a_paste_types_nothing(chunk):
    pasted = "make\x1b\rnow \x1b[31mred\x1b[0m\n\x1b\x1b[20\x1b]0;title\x07 " + "and more " * 9 + "\x1b"
    sent = f"a\x1b[200~{pasted}\x1b[201~\r\x1b[A\x1b[200~two\x1b[201~b"
    parser = linux_driver.XTermParser()
    events_seen = [event for at in range(0, len(sent), chunk) for event in parser.feed(sent[at : at + chunk])]
    assert [event.text if isinstance(event, events.Paste) else event.key for event in events_seen] == [
        "a", pasted.replace("\x1b", ""), "enter", "up", "two", "b"
    ]  # fmt: skip


@pytest.mark.usefixtures("installed")
def test_bytes_that_are_not_utf_8_are_replaced():
    decoder = linux_driver.getincrementaldecoder("utf-8")()
    assert [decoder.decode(part) for part in (b"a\xff\xc3", b"\xa9b")] == ["a\ufffd", "éb"]


def keys_of(sent):
    """Return the keys that Textual reads without the workaround: `library_fault` tests run in a process of their own."""
    parser = XTermParser()
    return [getattr(event, "key", "a paste") for part in (sent, "") for event in parser.feed(part)]


@pytest.mark.library_fault
def test_without_it_alt_enter_is_read_as_enter(report_fault):
    report_fault("textual_keys (Alt+Enter)", "textual", keys_of("\x1b\r") == ["enter"])


@pytest.mark.library_fault
def test_without_it_alt_with_a_digit_is_read_as_another_key(report_fault):
    report_fault("textual_keys (Alt with a digit)", "textual", keys_of("\x1b1") != ["alt+1"])


@pytest.mark.library_fault
def test_without_it_an_escape_ends_a_paste(report_fault):
    read = keys_of("\x1b[200~make\x1b\rnow\x1b[201~")
    report_fault("textual_keys.PasteFilter", "textual", read != ["a paste"])


@pytest.mark.library_fault
def test_without_it_a_byte_that_is_not_utf_8_ends_the_app(report_fault):
    source = inspect.getsource(linux_driver.LinuxDriver.run_input_thread)
    report_fault("textual_keys (bytes)", "textual", 'getincrementaldecoder("utf-8")()' in source)
