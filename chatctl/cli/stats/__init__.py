"""`chatctl stats`."""
