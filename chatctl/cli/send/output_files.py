"""The files that `send` writes."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from chatctl.cli import options
from chatctl.cli.streams import json_lines
from chatctl.cli.streams.files import OutputFile, first_lines


@dataclass
class OutputFiles:
    """The files of --receipts, --rejects and --unconfirmed, if given."""

    receipts: OutputFile | None = None
    rejects: OutputFile | None = None
    unconfirmed: OutputFile | None = None

    def _all(self) -> list[OutputFile]:
        return [file for file in (self.receipts, self.rejects, self.unconfirmed) if file]

    @property
    def are_blocked(self) -> bool:
        """True while the reader of a pipe has not taken everything."""
        return any(file.is_blocked for file in self._all())

    async def drain(self) -> None:
        """Wait until the readers of pipes have taken everything."""
        for file in self._all():
            await file.drain()

    @property
    def unfinished(self) -> list[str]:
        """The paths of the files that are not in their places yet."""
        return [str(file.path) for file in self._all() if not file.is_closed]

    def close(self) -> list[str]:
        """Move the files to their places, and return their errors."""
        for file in self._all():
            file.close()
        return [file.error for file in self._all() if file.error]

    def discard(self) -> None:
        """Leave the old files in the places of those that were not closed."""
        for file in self._all():
            file.discard()


@contextmanager
def open_output_files(
    paths: dict[str, str | None], resume: str | None, notify: Callable[[str], None]
) -> Iterator[OutputFiles]:
    """Open the files of these options, and discard those that are not closed. Raises BadParameter.

    `notify` gets the first write error of a file at once, since the input may never end.
    """
    resume_path = os.path.realpath(resume) if resume else ""
    used_paths = {resume_path: "what --resume reads: use another file"}
    files = OutputFiles()
    try:
        for option, path in paths.items():
            if path is None:
                continue
            real_path = _real_path(path)
            replaces_resumed = option == "--unconfirmed" and real_path == resume_path
            conflict = used_paths.get(real_path) or _overwrite_error(option, path)
            if conflict and not replaces_resumed:
                raise options.bad(option, f"{path} is {conflict}")
            used_paths[real_path] = "the file of another option: use a file for each"
            # That of --unconfirmed is written at the end, where its errors are reported.
            file = OutputFile(option, path, None if option == "--unconfirmed" else notify)
            setattr(files, option.removeprefix("--"), file)
        yield files
    finally:
        files.discard()


def _real_path(path: str) -> str:
    try:
        return os.path.realpath(path)
    except OSError:  # the working directory was deleted
        return path


def _overwrite_error(option: str, path: str) -> str:
    """Return why a file must not be overwritten. Empty if it may be."""
    if not os.path.isfile(path) or not os.path.getsize(path):
        return ""
    if option == "--unconfirmed":
        return f"not empty: send its records with --resume {path}, or use another file"
    if option == "--receipts" and not _has_receipts(path):
        return "not a file of receipts, which may be replaced: use another file"
    return ""


def _has_receipts(path: str) -> bool:
    try:
        for line in first_lines(path):
            json_lines.read_receipt(line)
    except (OSError, *json_lines.LINE_ERRORS):
        return False
    return True
