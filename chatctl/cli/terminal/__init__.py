"""The interface for people: escaping, colours, times, wrapping and notices at a terminal."""
