"""`chatctl join`."""
