"""The stubs of chatctl.v1, generated from protos/chatctl/v1/chat.proto by scripts/generate."""
