"""`chatctl serve`."""
