"""The gRPC server: services over the engine in `chatctl.core`, from start to stop.

`run.serve` is the entry. Generators that yield pages or receipts hand them over (`handoff`), see `chatctl.core.history`.
"""
