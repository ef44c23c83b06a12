"""The error for an input that can neither be sent nor run."""

from chatctl.errors import ChatctlError


class InputError(ChatctlError):
    """The input cannot be sent or run; it stays in the composer, so that the user can correct it."""
