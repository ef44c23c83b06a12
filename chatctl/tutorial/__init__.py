"""The stubs of the tutorial, generated from protos/chatctl/tutorial/chat.proto by scripts/generate."""
