"""What programs see: stdin, stdout, files, signals and JSON Lines."""
