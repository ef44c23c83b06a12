"""Workarounds for other libraries, and the only place that uses their private names."""
