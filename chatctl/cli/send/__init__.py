"""`chatctl send`."""
