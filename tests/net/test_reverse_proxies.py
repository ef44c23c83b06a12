"""nginx and haproxy between clients and the server, with the configurations that docs/proxies.md shows."""

import sys

import pytest

from chatctl.v1 import chat_pb2 as pb
from chatctl.v1 import chat_pb2_grpc
from tests.meta.pages import ROOT, blocks
from tests.support.cli import Process, run, texts
from tests.support.reverse_proxies import ReverseProxy, program
from tests.support.waiting import until

SERVER, PROXY, IDLE = r"127\.0\.0\.1:50051", r"127\.0\.0\.1:50080", r"\b75s\b"
IDLE_SECONDS = 2
HEARTBEATS = 6  # one a second: longer than twice the idle time
LINES = 40_000
QUICK_CLIENT = """
from chatctl.__main__ import main
from chatctl.client import heartbeat, retry
heartbeat.HEARTBEAT_SECONDS, retry.BRIEF_SECONDS = 0.5, 0
main()
"""
QUICK_SERVER = """
from chatctl.__main__ import main
from chatctl.core import feeds
feeds.PROGRESS_INTERVAL_SECONDS, feeds.PROGRESS_TICKS = 0.5, 2
main()
"""


@pytest.fixture(scope="module")
def quick_server(start_shared_server):
    """A server that sends an empty response twice a second."""
    return start_shared_server(command=[sys.executable, "-c", QUICK_SERVER, "serve"])


@pytest.fixture(params=["nginx", "haproxy"])
def start_proxy(request, tmp_path):
    """Start a proxy in front of a server, with the configuration of the page but a short idle time."""
    (block,) = (block for block in blocks(ROOT / "docs/proxies.md") if block.language == request.param)
    return lambda address: ReverseProxy(
        request.param, block.text, [(SERVER, address), (PROXY, "{address}"), (IDLE, f"{IDLE_SECONDS}s")], tmp_path
    )


@pytest.fixture(scope="module", autouse=True)
def installed_proxies():
    for name in ("nginx", "haproxy"):
        program(name)


def test_messages_pass(start_proxy, quick_server, room, tmp_path):
    """More than the 1 MiB that nginx takes by default go on one stream."""
    lines = "".join(f"{number:60}\n" for number in range(LINES))
    with start_proxy(quick_server.address) as proxy:
        sent = run("send", "-r", room, "--receipts", tmp_path / "receipts", piped=lines, server=proxy.address)
        assert (sent.code, sent.err.count("\n")) == (0, 1), sent.err
        assert texts(room, proxy.address) == lines.splitlines()
        checked = run("verify", tmp_path / "receipts", server=proxy.address)
        assert checked.code == 0, checked


def wait_beyond_idle_time(address, connect, room):
    """Follow a quiet room, and wait until enough empty responses have come on one stream."""
    stub = chat_pb2_grpc.ChatServiceStub(connect(address))
    call = stub.GetMessages(pb.GetMessagesRequest(follow=True, rooms=[room]))
    assert len([response for _, response in zip(range(HEARTBEATS), call, strict=False)]) == HEARTBEATS
    call.cancel()


def test_quiet_streams_are_not_cut(start_proxy, quick_server, connect, room):
    command = [sys.executable, "-c", QUICK_CLIENT]
    with start_proxy(quick_server.address) as proxy:
        options = ("--server", proxy.address, "--json")
        follower = Process("history", "-f", "-r", room, "--count", "4", *options, command=command)
        member = Process("join", room, *options, command=command)
        sender = Process("send", "-r", room, "--server", proxy.address, command=command)
        member.write("one\n")
        until(lambda: '"one"' in follower.out.text and '"one"' in member.out.text)
        sender.write("two\n")
        until(lambda: '"two"' in follower.out.text)
        wait_beyond_idle_time(quick_server, connect, room)
        sender.write("three\n")
        until(lambda: '"three"' in follower.out.text)
        member.write("four\n")
        done = follower.wait()
        assert (done.code, [message["text"] for message in done.objects]) == (0, ["one", "two", "three", "four"])
        until(lambda: '"four"' in member.out.text)
        ended = [done, member.close().wait(), sender.close().wait()]
        assert [(done.code, done.err) for done in ended[:2]] == [(0, "")] * 2
        assert (ended[2].code, ended[2].err.count("\n")) == (0, 1), ended[2].err  # its summary


def test_clients_wait_while_the_server_restarts(start_proxy, start_server, room):
    """Without the server, nginx answers 502 and haproxy 503."""
    served = start_server()
    with start_proxy(served.address) as proxy:
        options = ("--server", proxy.address, "--timeout", "0")
        follower = Process("history", "-f", "-r", room, "--json", "--count", "4", *options)
        member = Process("join", room, "--json", *options)
        member.write("before\n")
        until(lambda: '"before"' in follower.out.text and '"before"' in member.out.text)
        served.stop()
        sender = Process("send", "-r", room, *options)
        sender.write("one\ntwo\n")
        sender.close()
        for process in (sender, follower, member):
            until(lambda process=process: "trying again" in process.err.text)
        start_server(listen=served.address, store=served.store)
        assert sender.wait().code == 0
        member.write("after\n")
        assert [message["text"] for message in follower.wait().objects] == ["before", "one", "two", "after"]
        until(lambda: '"after"' in member.out.text)
        assert member.close().wait().code == 0


def test_the_limit_of_bodies_of_nginx_stops_nothing(quick_server, room, tmp_path):
    """As nginx is by default: it resets a call that has sent 1 MiB."""
    (block,) = (block for block in blocks(ROOT / "docs/proxies.md") if block.language == "nginx")
    unlimited = block.text.replace("client_max_body_size 0;", "")
    assert unlimited != block.text
    lines = "".join(f"{number} {'x' * 60_000}\n" for number in range(90))
    with ReverseProxy("nginx", unlimited, [(SERVER, quick_server.address), (PROXY, "{address}")], tmp_path) as proxy:
        sent = run("send", "-r", room, piped=lines, server=proxy.address)
        assert (sent.code, sent.err.count("\n")) == (0, 1), sent.err  # the breaks are brief
        assert texts(room, proxy.address) == lines.splitlines()
        lines = "".join(f"{number}\n" for number in range(50_000))
        run("send", "-r", room, "--receipts", tmp_path / "receipts", piped=lines, server=quick_server.address)
        checked = run("verify", tmp_path / "receipts", server=proxy.address)
        assert checked.code == 0, checked
    assert "client intended to send too large" in (tmp_path / "nginx.log").read_text()
