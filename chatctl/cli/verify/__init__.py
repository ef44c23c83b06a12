"""`chatctl verify`."""
