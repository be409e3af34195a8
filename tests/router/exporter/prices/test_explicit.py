"""What the operator wrote down is used as it stands, with the age of its day."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from llm_router.exporter.prices.base import Quote
from llm_router.exporter.prices.explicit import ExplicitPrice

DAY = datetime(2026, 1, 15, tzinfo=UTC).timestamp()


def test_without_a_day_its_age_is_unknown() -> None:
    quote = ExplicitPrice(0.378, None, lambda: 1e9).quote()
    assert quote == Quote(usd_per_hour=0.378, source="config", age_s=None)


@pytest.mark.parametrize(("now", "age_s"), [(DAY + 3600, 3600), (DAY - 3600, 0), (0, 0)])
def test_its_age_is_never_negative_whatever_the_clock_says(now: float, age_s: float) -> None:
    assert ExplicitPrice(0.378, date(2026, 1, 15), lambda: now).quote().age_s == age_s
