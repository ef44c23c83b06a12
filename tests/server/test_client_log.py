"""What the log says about clients: who connects, from where, and what is refused."""

import grpc
import pytest

from chatctl.server import client_log
from chatctl.server.client_log import ConnectionLog, split_peer
from chatctl.v1 import chat_pb2 as pb
from chatctl.v1 import chat_pb2_grpc
from tests.support.cli import run
from tests.support.waiting import until
from tests.support.wire_client import call_error


@pytest.mark.parametrize(
    ("peer", "host", "port"),
    [
        ("ipv4:127.0.0.1:4711", "127.0.0.1", ":4711"),
        ("ipv6:%5B::1%5D:4711", "[::1]", ":4711"),
        ("ipv6:%5Bfe80::1%25eth0%5D:4711", "[fe80::1%eth0]", ":4711"),
        ("unix:", "a Unix socket", ""),
        ("unix:/run/chat.sock", "a Unix socket", ""),
    ],
)
def test_a_peer_is_shown_as_an_address(peer, host, port):
    assert split_peer(peer) == (host, port)


def test_connections_are_remembered_in_bounded_memory(caplog):
    caplog.set_level("INFO")
    log = ConnectionLog()
    for n in range(3 * client_log.MAX_CONNECTIONS):
        log.on_call("ipv4:10.0.0.1:1", "/a")  # in use, so it is not forgotten
        log.on_call(f"ipv4:10.0.0.2:{n}", "/b")
    assert len(log._recent) == client_log.MAX_CONNECTIONS
    assert sum("10.0.0.1:1 connected, and calls /a" in message for message in caplog.messages) == 1


def test_the_log_names_clients_their_users_and_what_is_refused(start_server, connect):
    server = start_server("--log-level", "info", "--streams", "1")
    for _ in range(2):
        assert run("send", "-u", "an\tn", "hello", server=server.address).code != 0  # the name is refused
        assert run("send", "-u", "ann", "hello", server=server.address).code == 0
    stub = chat_pb2_grpc.ChatServiceStub(connect(server))
    with pytest.raises(grpc.RpcError, match="invalid top -1"):
        stub.GetStats(pb.GetStatsRequest(top=-1))
    follower = stub.GetMessages(pb.GetMessagesRequest(follow=True))
    next(follower)
    for _ in range(2):
        code, _ = call_error(stub.GetMessages(pb.GetMessagesRequest()))
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    follower.cancel()
    until(lambda: any("too many open streams" in line for line in server.lines))
    server.stop()
    text = "\n".join(server.lines)
    assert text.count("speaks as user 'ann'") == 2
    assert "INFO 127.0.0.1:" in text
    assert "connected, and calls /chatctl.v1.ChatService/SendAndReceiveMessage" in text
    assert "was refused: /chatctl.v1.ChatService/GetStats: invalid top -1" in text
    assert "was refused: /chatctl.v1.ChatService/GetMessages: too many open streams" in text
    (warning,) = [line for line in server.lines if " WARNING " in line]
    assert "the limit of 1 open streams is reached: further ones are refused" in warning
