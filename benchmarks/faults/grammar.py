"""A grammar of whatever JSON allows, and what Python writes as JSON beside it."""

from hypothesis import strategies as st

from benchmarks.faults.hostile import HUGE, VALUES

TEXTS = st.text(st.characters(codec=None, categories=None), max_size=20)
"""Texts of any characters, surrogates too."""

_NUMBERS = st.integers() | st.floats() | st.sampled_from([HUGE, -HUGE, 2**63])

JSON = st.recursive(
    st.none() | st.booleans() | _NUMBERS | TEXTS | st.sampled_from(VALUES),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
"""Values of any kind, at any depth."""
