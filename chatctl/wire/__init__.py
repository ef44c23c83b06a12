"""Conversion between chatctl's types and the contract's protobuf messages, and between errors and gRPC statuses."""
