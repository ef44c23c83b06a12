"""The limits that `serve` accepts."""

from dataclasses import replace

import pytest
import typer

from chatctl.cli.serve.command import validate_limits
from chatctl.model.limits import Limits

GOOD_LIMITS = [
    {},
    {"text_bytes": 1},
    {"text_bytes": 3 << 20, "batch_bytes": 3 << 20},
    {"name_bytes": 16},
    {"batch_messages": 1},
    {"streams": 1},
]
BAD_LIMITS = [
    {"text_bytes": 0},
    {"text_bytes": -1},
    {"text_bytes": (1 << 20) + 1},
    {"name_bytes": 15},
    {"name_bytes": 1025},
    {"batch_messages": 0},
    {"batch_messages": 10_001},
    {"batch_bytes": 1023, "text_bytes": 1},
    {"batch_bytes": (3 << 20) + 1},
    {"streams": 0},
]


@pytest.mark.parametrize("limits", GOOD_LIMITS)
def test_limits_that_frames_can_keep_are_valid(limits):
    validate_limits(replace(Limits(), **limits))


@pytest.mark.parametrize("limits", BAD_LIMITS)
def test_the_error_of_an_invalid_limit_names_its_option_and_bounds(limits):
    name = next(iter(limits))
    with pytest.raises(typer.BadParameter, match=f"^{limits[name]} is out of range: use a number from") as caught:
        validate_limits(replace(Limits(), **limits))
    assert caught.value.param_hint == f"'--{name.replace('_', '-')}'"
