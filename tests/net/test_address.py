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
    "CHAT-1.Example.org.:1": "CHAT-1.Example.org.:1",
    "127.1:1": "127.0.0.1:1",
    "0:1": "0.0.0.0:1",
    "0x7f.1:1": "127.0.0.1:1",
    "2130706433:1": "127.0.0.1:1",
    "[::ffff:127.0.0.1]:1": "[::ffff:127.0.0.1]:1",
    "[fe80::1%eth0]:1": "[fe80::1%eth0]:1",
    "1e100.example:1": "1e100.example:1",
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
    "a_b:80",
    "-a:80",
    "a-:80",
    "a..b:80",
    "häuser.example:80",
    "user@host:80",
    "host/path:80",
    "a b:80",
    "1.2.3.4.5:80",
    "256.0.0.1:80",
    "[127.0.0.1]:80",
    "[localhost]:80",
    "[fe80::1%a b]:80",
    "[]:80",
    "x" * 64 + ":80",
    "x." * 127 + "xx:80",
]
GRPC_SCHEMES = ["dns:50051", "xds:1", "ipv4:50051", "ipv6:1", "unix-abstract:50051", "vsock:1", "google-c2p:1", "XDS:1"]


@pytest.mark.parametrize("text", ADDRESSES)
def test_an_address_is_a_host_and_port_or_a_socket(text):
    assert address.parse_address(text) == ADDRESSES[text]


def test_a_relative_socket_path_starts_at_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert address.parse_address("unix:chat.sock") == f"unix:{tmp_path}/chat.sock"


@pytest.mark.parametrize("text", INVALID_ADDRESSES)
def test_an_invalid_address_is_an_error_that_names_the_formats(text):
    with pytest.raises(InvalidValue, match=r"unix:PATH|0 to 65535"):
        address.parse_address(text)


@pytest.mark.parametrize("text", GRPC_SCHEMES)
def test_a_word_that_grpc_does_not_take_for_a_host_is_refused_with_words(text):
    with pytest.raises(InvalidValue, match="is not a host for gRPC"):
        address.parse_address(text)


def test_a_port_that_is_too_high_is_refused_with_the_highest():
    with pytest.raises(InvalidValue, match="use a port from 0 to 65535"):
        address.parse_address("localhost:65536")


def test_a_relative_socket_path_without_a_working_directory_is_an_error(tmp_path, monkeypatch):
    (gone := tmp_path / "gone").mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(InvalidValue, match="working directory does not exist"):
        address.parse_address("unix:chat.sock")


def test_a_socket_path_reaches_grpc_as_it_is_written():
    assert address.grpc_target("unix:/run/a%41 b?#") == "unix:/run/a%2541%20b%3F%23"
    assert address.grpc_target("localhost:1") == "localhost:1"


def test_loopback_is_what_only_this_machine_can_reach():
    for text in (
        *("127.0.0.1:1", "127.9.9.9:1", "localhost:1", "LocalHost:1", "localhost.:1", "[::1]:1", "unix:/run/chat.sock"),
        *("127.1:1", "0x7f.1:1", "[::ffff:127.0.0.1]:1", "[0:0::1]:1"),
    ):
        assert address.is_loopback(address.parse_address(text))
    for text in ("0:1", "[::ffff:192.0.2.1]:1", "[::ffff:0.0.0.0]:1", "128.1:1"):
        assert not address.is_loopback(address.parse_address(text))
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
