"""The interface for programs: stdin, stdout, files, signals and JSON Lines."""
