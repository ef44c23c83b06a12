"""What people see: escaping, colours, times, wrapping and messages at a terminal."""
