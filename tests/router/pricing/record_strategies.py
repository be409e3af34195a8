"""Any records."""

from __future__ import annotations

from hypothesis import strategies as st

from llm_router.model import Usage
from llm_router.pricing.money import in_usd
from tests.router.pricing.record_samples import MIDNIGHT, make_record

moments = st.integers(-3 * 86_400_000_000, 3 * 86_400_000_000).map(lambda us: MIDNIGHT + us / 1e6)
"""To the microsecond: no store keeps more."""
amounts = st.none() | st.integers(0, 10**13).map(in_usd)
"""Booked ones."""
records = st.builds(
    make_record,
    st.uuids(version=4).map(str),
    settled_at=moments,
    target=st.sampled_from([None, "aws", "gcp", "openai"]),
    model=st.sampled_from(["tiny", "large"]),
    key=st.sampled_from([None, "search", "chat"]),
    usage=st.builds(
        Usage,
        input_tokens=st.integers(0, 10**7),
        cache_read_tokens=st.integers(0, 10**6),
        output_tokens=st.integers(0, 10**7),
        estimated=st.booleans(),
    ),
    baseline=st.sampled_from([None, "openai", "gemini"]),
    cost_usd=amounts,
    baseline_usd=amounts,
)
