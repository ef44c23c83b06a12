"""Strings as JSON."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatctl.compat.json_string import json_string


@given(st.text())
def test_a_string_is_formatted_as_json_formats_it(text):
    assert json_string(text) == json.dumps(text, ensure_ascii=False)


@pytest.mark.library_fault
def test_json_has_no_public_function_for_a_string(report_fault):
    public = {*json.__all__, *getattr(json.encoder, "__all__", ())}
    report_fault("json_string.json_string", "python", not any("string" in name for name in public))
