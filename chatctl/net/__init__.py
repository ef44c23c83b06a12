"""Addresses, endpoints and gRPC options of both sides."""
