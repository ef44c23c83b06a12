"""nginx before the server of a trial, stricter than any sensible configuration.

It answers 502 while the server is away, cuts streams that are quiet for a second, and limits what one call sends.
"""

import asyncio

from tests.support.reverse_proxies import ReverseProxy

CONFIGURATION = """
log_format status $status;
server {
    listen PROXY http2;
    access_log FOLDER/access.log status;
    error_log stderr info;
    client_max_body_size 128k;
    client_body_timeout 1s;
    location / {
        grpc_pass grpc://SERVER;
        grpc_read_timeout 1s;
        grpc_send_timeout 1s;
    }
}
"""
CUTS = ("timed out", "too large")  # in nginx's log of errors


class StrictProxy:
    """Runs in a folder, in front of a server; an async context manager."""

    def __init__(self, server, folder):
        folder.mkdir()
        replaced = [("PROXY", "{address}"), ("SERVER", server), ("FOLDER", str(folder))]
        self._proxy = ReverseProxy("nginx", CONFIGURATION, replaced, folder)
        self._access_log = folder / "access.log"
        self.address = self._proxy.address

    async def __aenter__(self):
        await asyncio.to_thread(self._proxy.start)
        return self

    async def __aexit__(self, *_):
        await asyncio.to_thread(self._proxy.stop)

    async def restart(self):
        """Stop it, which breaks all connections, and start it again."""
        await asyncio.to_thread(self._proxy.stop)
        await asyncio.to_thread(self._proxy.start)

    @property
    def refusals(self):
        """How often it answered 502 or 504."""
        return sum(status in ("502", "504") for status in self._access_log.read_text().split())

    @property
    def cuts(self):
        """How many streams it cut: quiet followers, and senders of much. nginx does not log those of quiet senders."""
        return sum(any(reason in line for reason in CUTS) for line in self._proxy.log.read_text().splitlines())
