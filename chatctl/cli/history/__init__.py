"""`chatctl history`."""
