"""StreamHooks: what the owner of a ReliableStream can add to it."""

from chatctl.errors import ChatError
from chatctl.v1 import chat_pb2 as pb
from chatctl.wire.checks import contract_error


class StreamHooks:
    """What the owner of a ReliableStream adds to it. By default it adds nothing.

    The hooks of one stream are called in this order: `first_request`, `on_welcome`, then `next_request` and `on_response`
    as needed, `on_disconnect` at a failure after which another stream is tried. None of them may wait.
    """

    awaits_response = False
    """Whether a response other than a receipt is due."""

    def first_request(self, request: pb.SendAndReceiveMessageRequest) -> None:
        """Complete the first request of a stream, which has the user and the input id."""

    def next_request(self) -> pb.SendAndReceiveMessageRequest | None:
        """Return a request to send before the next records, or None."""

    def on_welcome(self, log: str) -> None:
        """The server has accepted the stream. `log` is the id of its log."""

    def on_response(self, response: pb.SendAndReceiveMessageResponse) -> bool:
        """Take what is not a receipt. Return whether to read nothing more until `ReliableStream.resume_reading`.

        Raises IncompatibleServer for messages and presence: a stream without a `receive` gets none.
        """
        if response.runs or response.cursor or response.present:
            raise contract_error("messages that were not asked for")
        return False

    def on_disconnect(self, error: ChatError) -> None:
        """The stream broke, or the server cannot be reached."""
