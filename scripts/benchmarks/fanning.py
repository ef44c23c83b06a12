"""The measurements of those who follow a room: what many of them get, what they cost, and what they do to each other."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager

from benchmarks.inputs import Figures, Inputs, new_chat
from benchmarks.processes import Server, program, run, serving


def audience(*arguments: object) -> Figures:
    """What this program found."""
    return json.loads(run(program("audience", *arguments)).output)


def named(name: str, figures: Figures) -> Figures:
    """The figures by names of their own."""
    return {f"{name} {figure}": value for figure, value in figures.items()}


def relay(inputs: Inputs) -> AbstractContextManager[Server]:
    """The raw relay."""
    return serving(program("raw", "serve"), inputs.folder / "raw.log")


def near(inputs: Inputs) -> Figures:
    with relay(inputs) as raw, new_chat(inputs) as chat:
        return named("follow", audience("near", raw.address, chat.address, 50 if inputs.quick else 300))


def raw_many(inputs: Inputs) -> Figures:
    with relay(inputs) as server:
        return named("raw fan-out", many(inputs, "raw", server))


def chat_many(inputs: Inputs) -> Figures:
    with new_chat(inputs) as server:
        return named("fan-out", many(inputs, "chat", server))


def many(inputs: Inputs, kind: str, server: Server) -> Figures:
    return audience("many", kind, server.address, server.pid, *((100, 1) if inputs.quick else (1000, 6)))


def raw_burst(inputs: Inputs) -> Figures:
    """So few messages that it takes seconds: with all of chatctl's it would take minutes."""
    with relay(inputs) as server:
        return named("raw burst", audience("burst", "raw", server.address, 100, 200 if inputs.quick else 2000))


def chat_burst(inputs: Inputs) -> Figures:
    with new_chat(inputs) as server:
        return named("burst", audience("burst", "chat", server.address, 100, 5000 if inputs.quick else 100_000))


def idle_of_one_room(inputs: Inputs) -> Figures:
    with new_chat(inputs) as server:
        size = (500, 1) if inputs.quick else (5000, 8)
        return named("idle", audience("idle", server.address, server.pid, *size, "one"))


def idle_of_many_rooms(inputs: Inputs) -> Figures:
    with new_chat(inputs) as server:
        size = (500, 1) if inputs.quick else (2000, 3)
        return named("idle, own rooms", audience("idle", server.address, server.pid, *size, "own"))


def stalled(inputs: Inputs) -> Figures:
    with new_chat(inputs) as server:
        return named("stalled", audience("stalled", server.address, 99, *((0.3, 1) if inputs.quick else (1.5, 3))))


def full_house(inputs: Inputs) -> Figures:
    with new_chat(inputs) as server:
        figures = audience("house", server.address, 200, 1 if inputs.quick else 5)
    return named("house", figures | {"memory": server.peak_mb})


def keys(inputs: Inputs) -> Figures:
    with new_chat(inputs) as server:
        size = (20, 5000) if inputs.quick else (200, 200_000)
        return named("keys", json.loads(run(program("keys", "type", server.address, *size)).output))


STEPS: dict[str, tuple[Callable[[Inputs], Figures], ...]] = {
    "follow": (near,),
    "fan-out": (raw_many, chat_many),
    "burst": (raw_burst, chat_burst),
    "idle": (idle_of_one_room, idle_of_many_rooms),
    "stalled": (stalled,),
    "full-house": (full_house,),
    "keys": (keys,),
}
