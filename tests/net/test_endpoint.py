"""Endpoints and the channels opened to them."""

import grpc
import pytest

from chatctl.errors import InvalidValue
from chatctl.net import channel, grpc_options
from chatctl.net.endpoint import Endpoint


@pytest.fixture
def opened(monkeypatch):
    """Every channel opened: how, its target and its options."""
    channels = []
    monkeypatch.setattr(
        grpc.aio, "insecure_channel", lambda target, options: channels.append(("insecure", target, dict(options)))
    )
    monkeypatch.setattr(
        grpc.aio, "secure_channel", lambda target, credentials, options: channels.append(("secure", target, credentials))
    )
    return channels


def test_an_endpoint_shows_what_the_user_wrote_and_keeps_the_target(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    endpoint = Endpoint.parse("unix:chat.sock")
    assert str(endpoint) == "unix:chat.sock"
    assert endpoint.addresses == (f"unix:{tmp_path}/chat.sock",)
    assert endpoint.credentials is None
    assert endpoint == Endpoint.parse("unix:chat.sock")


@pytest.mark.parametrize("text", ["nowhere", "", "127.0.0.1:1,127.0.0.1:2"])
def test_an_invalid_endpoint_is_refused(text):
    with pytest.raises(InvalidValue):
        Endpoint.parse(text)


def test_an_endpoint_without_addresses_is_refused():
    with pytest.raises(InvalidValue):
        Endpoint((), "")


def test_an_endpoint_is_loopback_only_if_all_its_addresses_are():
    assert Endpoint.parse("localhost:1").is_loopback
    assert not Endpoint.parse("192.0.2.1:1").is_loopback
    assert not Endpoint(("localhost:1", "192.0.2.1:1"), "both").is_loopback


def test_a_channel_without_encryption_goes_to_the_target_and_not_through_a_proxy(opened):
    channel.open_channel(Endpoint.parse("localhost:1"))
    channel.open_channel(Endpoint.parse("192.0.2.1:1"))
    channel.open_channel(Endpoint.parse("192.0.2.1:1"), options=[("grpc.some_option", 7)])
    channel.open_channel(Endpoint.parse("unix:/run/a b"))
    assert [(kind, target) for kind, target, _ in opened] == [
        ("insecure", "localhost:1"),
        ("insecure", "192.0.2.1:1"),
        ("insecure", "192.0.2.1:1"),
        ("insecure", "unix:/run/a%20b"),
    ]
    assert [options["grpc.enable_http_proxy"] for _, _, options in opened] == [0] * 4
    assert opened[1][2]["grpc.use_local_subchannel_pool"] == 1
    assert opened[2][2] == {"grpc.some_option": 7, "grpc.enable_http_proxy": 0}


def test_clients_may_send_a_keepalive_every_10_seconds():
    """gRPC ends a connection whose pings come faster than this on a quiet stream; a timer may fire a little early."""
    server, client = dict(grpc_options.SERVER_OPTIONS), dict(grpc_options.CLIENT_OPTIONS)
    assert server["grpc.http2.min_ping_interval_without_data_ms"] < 10_000
    assert client["grpc.keepalive_time_ms"] >= 10_000


def test_an_endpoint_with_credentials_has_a_secure_channel(opened):
    credentials = grpc.ssl_channel_credentials()
    channel.open_channel(Endpoint(("192.0.2.1:1",), "192.0.2.1:1", credentials))
    assert opened == [("secure", "192.0.2.1:1", credentials)]
