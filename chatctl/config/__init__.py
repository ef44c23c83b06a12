"""Settings: parsing of values, and frozen settings objects."""
