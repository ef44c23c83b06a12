"""The server's engine: the rules of a log, apart from how it is stored and how it travels."""
