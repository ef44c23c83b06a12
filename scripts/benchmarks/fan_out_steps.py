"""The measurements of followers: throughput, delay, cost, and influence on each other."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from benchmarks.inputs import Figures, Inputs, new_chat_server, parse_figures
from benchmarks.processes import Server, program, run, running_server


def measure(*arguments: object) -> Figures:
    """Return the figures of the fan_out program."""
    return parse_figures(run(program("fan_out", *arguments)))


def prefixed(name: str, figures: Figures) -> Figures:
    """Return the figures with a prefix before their names."""
    return {f"{name} {figure}": value for figure, value in figures.items()}


def raw_server(inputs: Inputs) -> AbstractContextManager[Server]:
    """Run the raw relay."""
    return running_server(program("grpc_baseline", "serve"), inputs.folder / "raw.log")


def latency(inputs: Inputs) -> Figures:
    with raw_server(inputs) as raw, new_chat_server(inputs) as chat:
        return prefixed("follow", measure("near", raw.address, chat.address, 50 if inputs.quick else 300))


def raw_many(inputs: Inputs) -> Figures:
    with raw_server(inputs) as server:
        return prefixed("raw fan-out", fan_out(inputs, "raw", server))


def chat_many(inputs: Inputs) -> Figures:
    with new_chat_server(inputs) as server:
        return prefixed("fan-out", fan_out(inputs, "chat", server))


def fan_out(inputs: Inputs, kind: str, server: Server) -> Figures:
    return measure("many", kind, server.address, server.pid, *((100, 1) if inputs.quick else (1000, 6)))


def raw_burst(inputs: Inputs) -> Figures:
    """Send few messages: with as many as chatctl gets, the relay would take minutes."""
    with raw_server(inputs) as server:
        return prefixed("raw burst", measure("burst", "raw", server.address, 100, 200 if inputs.quick else 2000))


def chat_burst(inputs: Inputs) -> Figures:
    with new_chat_server(inputs) as server:
        return prefixed("burst", measure("burst", "chat", server.address, 100, 5000 if inputs.quick else 100_000))


def idle_one_room(inputs: Inputs) -> Figures:
    with new_chat_server(inputs) as server:
        size = (500, 1) if inputs.quick else (5000, 8)
        return prefixed("idle", measure("idle", server.address, server.pid, *size, "one"))


def idle_many_rooms(inputs: Inputs) -> Figures:
    with new_chat_server(inputs) as server:
        size = (500, 1) if inputs.quick else (2000, 3)
        return prefixed("idle, own rooms", measure("idle", server.address, server.pid, *size, "own"))


def stalled(inputs: Inputs) -> Figures:
    with new_chat_server(inputs) as server:
        return prefixed("stalled", measure("stalled", server.address, 99, *((0.3, 1) if inputs.quick else (1.5, 3))))


def full_load(inputs: Inputs) -> Figures:
    with new_chat_server(inputs) as server:
        figures = measure("house", server.address, 200, 1 if inputs.quick else 5)
    return prefixed("house", figures | {"memory": server.peak_mb})


def typing_latency(inputs: Inputs) -> Figures:
    with new_chat_server(inputs) as server:
        size = (20, 5000) if inputs.quick else (200, 200_000)
        return prefixed("keys", parse_figures(run(program("typing_latency", "type", server.address, *size))))


STEPS: dict[str, tuple[Callable[[Inputs], Figures], ...]] = {
    "follow": (latency,),
    "fan-out": (raw_many, chat_many),
    "burst": (raw_burst, chat_burst),
    "idle": (idle_one_room, idle_many_rooms),
    "stalled": (stalled,),
    "full-house": (full_load,),
    "keys": (typing_latency,),
}
