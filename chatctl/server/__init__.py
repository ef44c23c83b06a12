"""The gRPC server: services over the engine in `chatctl.core`, from start to stop.

`run.serve` is the entry. Every generator that yields responses hands them over (`handoff`): it keeps the response in a
list, deletes its own name and pops the list in the `yield`. A generator that waits in `yield` keeps its variables alive,
so with a plain `yield page` each client that does not read would hold a page in memory.
"""
