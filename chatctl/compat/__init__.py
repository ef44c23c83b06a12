"""Workarounds for other libraries: the only place that uses their private names or matches their texts.

Each module states the library and its versions, the symptom without it, the upstream issue if one is known, and when to
delete it. tests/compat tests each workaround; scripts/check-workarounds shows whether its reason still exists.
"""
