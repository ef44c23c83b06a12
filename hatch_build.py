"""The build hook: records in a package of a development version which commit it is built from."""

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CommitHook(BuildHookInterface):
    """Adds chatctl/commit.txt to wheels and source packages; see chatctl/version.py."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the file, unless the package is installed for development: then each later commit would make it wrong."""
        sys.path.insert(0, self.root)
        from chatctl.version import COMMIT_FILE, read_commit

        present = Path(self.root, "chatctl", COMMIT_FILE).exists()  # as in an unpacked source package
        if version == "editable" or present or not (commit := read_commit()):
            return
        self._folder = tempfile.TemporaryDirectory()
        file = Path(self._folder.name, COMMIT_FILE)
        file.write_text(f"{commit}\n")
        build_data["force_include"][str(file)] = f"chatctl/{COMMIT_FILE}"

    def finalize(self, *_: object) -> None:
        """Delete the file's source."""
        if folder := getattr(self, "_folder", None):
            folder.cleanup()
