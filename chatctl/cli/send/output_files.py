"""The files that `send` writes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from chatctl.cli import options
from chatctl.cli.streams.files import OUTPUT_PART_SUFFIX, OutputFile


@dataclass
class OutputFiles:
    """The files of --receipts, --rejects and --unconfirmed, if given."""

    receipts: OutputFile | None = None
    rejects: OutputFile | None = None
    unconfirmed: OutputFile | None = None

    def _all(self) -> list[OutputFile]:
        return [file for file in (self.receipts, self.rejects, self.unconfirmed) if file]

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
def open_output_files(paths: dict[str, str | None], resume: str | None) -> Iterator[OutputFiles]:
    """Open the files of these options, and discard those that are not closed. Raises BadParameter."""
    resume_path = os.path.realpath(resume) if resume else ""
    used_paths = {resume_path: "what --resume reads: use another file"}
    files = OutputFiles()
    try:
        for option, path in paths.items():
            if path is None:
                continue
            real_path = os.path.realpath(path)
            part = real_path + OUTPUT_PART_SUFFIX
            replaces_resumed = option == "--unconfirmed" and real_path == resume_path and part not in used_paths
            conflict = used_paths.get(real_path) or used_paths.get(part) or _overwrite_error(option, path)
            if conflict and not replaces_resumed:
                raise options.bad(option, f"{path} is {conflict}")
            used_paths[real_path] = "the file of another option: use a file for each"
            used_paths[part] = "where the file of another option is written: use another file"
            setattr(files, option.removeprefix("--"), OutputFile(option, path))
        yield files
    finally:
        files.discard()


def _overwrite_error(option: str, path: str) -> str:
    """Return why a file must not be overwritten: it has records of an earlier run. Empty if it may be."""
    has_records = option == "--unconfirmed" and os.path.isfile(path) and os.path.getsize(path)
    return f"not empty: send its records with --resume {path}, or use another file" if has_records else ""
