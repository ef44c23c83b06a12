"""The server's engine: the rules of a chat, without gRPC or SQL. Opens nothing."""
