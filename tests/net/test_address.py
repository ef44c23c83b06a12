"""Addresses and loopback."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatctl.errors import InvalidValue
from chatctl.net import address

ADDRESSES = {
    "127.0.0.1:50051": "127.0.0.1:50051",
    "localhost:0": "localhost:0",
    "[::1]:50051": "[::1]:50051",
    "chat.example.org:65535": "chat.example.org:65535",
    "localhost:00080": "localhost:80",
    "unix:/run/chat.sock": "unix:/run/chat.sock",
    "unix:///run/chat.sock": "unix:/run/chat.sock",
}
INVALID_ADDRESSES = [
    "",
    ":",
    ":80",
    "localhost",
    "localhost:",
    "localhost:x",
    "localhost:-1",
    "localhost:65536",
    "localhost:٣",
    "::1:80",
    "http://localhost:80",
    "[::1]",
    "[::1:80",
    "unix:",
    "unix:/" + "x" * 107,
    "tcp:host:80",
]


@pytest.mark.parametrize("text", ADDRESSES)
def test_an_address_is_a_host_and_port_or_a_socket(text):
    assert address.parse_address(text) == ADDRESSES[text]


def test_a_relative_socket_path_starts_at_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert address.parse_address("unix:chat.sock") == f"unix:{tmp_path}/chat.sock"


@pytest.mark.parametrize("text", INVALID_ADDRESSES)
def test_an_invalid_address_is_an_error_that_names_the_formats(text):
    with pytest.raises(InvalidValue, match="unix:PATH"):
        address.parse_address(text)


def test_loopback_is_what_only_this_machine_can_reach():
    for listen in ("127.0.0.1:1", "127.9.9.9:1", "localhost:1", "[::1]:1", "unix:/run/chat.sock"):
        assert address.is_loopback(listen)
    for listen in (
        "0.0.0.0:1",
        "[::]:1",
        "192.0.2.1:1",
        "chat.example.org:1",
        "localhost.example.org:1",
        "127.0.0.1.example.org:1",
    ):
        assert not address.is_loopback(listen)


# Arguments of a process: any text without NUL, and surrogates for bytes that are not UTF-8.
arguments = st.text(st.characters(exclude_characters="\0"), max_size=40) | st.text("0123456789:-[]/~.u ", max_size=40)


@given(arguments | arguments.map("unix:{}".format) | arguments.map("{}:80".format))
@example("unix:~unknown-user-of-this-name/chat.sock")
@example("unix:\udcff")
@example("\udcff:80")
@example("localhost:" + "9" * 5000)
def test_any_text_is_an_address_or_an_invalid_value(text):
    try:
        parsed = address.parse_address(text)
    except InvalidValue:
        return
    parsed.encode()
    assert address.is_loopback(parsed) in (True, False)
