"""Endpoint: where a server is, and what a client needs to open a channel to it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from chatctl.errors import InvalidValue
from chatctl.net import address

if TYPE_CHECKING:
    import grpc


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The addresses of one server, and the credentials to use there.

    `parse` accepts one address. The tuple is the seam for several servers of one log; `channel.open_channel` says what
    several addresses mean. `credentials` is the seam for TLS; None is a connection without encryption.
    """

    addresses: tuple[str, ...]
    text: str
    """The endpoint as the user wrote it."""
    credentials: "grpc.ChannelCredentials | None" = None

    def __post_init__(self) -> None:
        if not self.addresses:
            raise InvalidValue("an endpoint needs at least one address")

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the endpoint of a HOST:PORT, [IPV6]:PORT or unix:PATH. Raises InvalidValue."""
        return cls((address.parse_address(text),), text)

    def __str__(self) -> str:
        """Return the endpoint as the user wrote it."""
        return self.text

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return all(map(address.is_loopback, self.addresses))
