"""Conversion to and from the wire: protobuf messages and gRPC statuses."""
