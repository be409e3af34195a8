"""What one request costs: at list price outside, at the pool's figure inside. Unknown prices give ``None``, never 0.

Before sending, its tokens are those that were learnt to expect of the target (``expectations``), else a first guess.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from ..model import ClusterCost, Facts, ListPrice, Usage, View

PRIOR_OUTPUT_TOKENS = 150
"""How long an answer is taken to be until answers have taught better."""
BUCKETS = 4
"""Classes of equal width that complexity is told apart by: how demanding a task is says how long its answer is."""
PROMPT_MARGIN = 2
"""No prompt has more tokens than this many times the estimate, or hardly one."""
NANO_USD_PER_USD = 1_000_000_000


def list_usd(price: ListPrice, usage: Usage) -> float:
    """USD for ``usage`` at this list price: tiers by the whole input, cached input at its own rates."""
    if not usage.cache_read_tokens and not usage.cache_write_tokens:  # as every estimate
        paid = usage.input_tokens
        return (paid * price.input.at(paid) + usage.output_tokens * price.output.at(paid)) / 1000
    paid, for_an_hour = usage.all_input_tokens, usage.cache_write_1h_tokens
    return (
        usage.input_tokens * price.input.at(paid)
        + usage.cache_read_tokens * price.cache_read.at(paid)
        + (usage.cache_write_tokens - for_an_hour) * price.cache_write.at(paid)
        + for_an_hour * (price.cache_write_1h or price.cache_write).at(paid)
        + usage.output_tokens * price.output.at(paid)
    ) / 1000


def cluster_usd(cost: ClusterCost, usage: Usage) -> float | None:
    """USD for ``usage`` at the held capacity figure. A prompt token counts as ``input_ratio`` generated ones."""
    usd_per_1k = decision_usd_per_1k(cost)
    if usd_per_1k is None:
        return None
    return (usage.output_tokens + usage.all_input_tokens * cost.input_ratio) * usd_per_1k / 1000


def decision_usd_per_1k(cost: ClusterCost) -> float | None:
    """The figure that decisions compare: the held one, or the capacity figure while none is held."""
    return cost.capacity if cost.decision is None else cost.decision


def bucket_of(facts: Facts) -> int:
    """The complexity class of a request, 0 for the simplest."""
    return int(facts.complexity * BUCKETS) if facts.complexity < 1.0 else BUCKETS - 1


def expected_input_tokens(view: View, facts: Facts) -> int:
    """Prompt tokens as this target will count them, at least 1."""
    expected = view.expected
    tokens = int(expected.input_more + expected.input_each * facts.input_tokens + 0.5)
    return tokens if tokens > 0 else 1


def expected_usage(view: View, facts: Facts) -> Usage:
    """The tokens that this request is expected to take at this target; ``max_tokens`` caps the answer."""
    return Usage(input_tokens=expected_input_tokens(view, facts), output_tokens=_expected_output_tokens(view, facts))


def expected_usages(views: Iterable[View], facts: Facts) -> dict[int, Usage]:
    """``expected_usage`` of one request for many targets, by the ``id`` of what they were taught: reckoned once for all
    that have been taught the same, as those are that serve the same model. The views must live as long."""
    taught = {id(view.expected): view for view in views}
    return {each: expected_usage(view, facts) for each, view in taught.items()}


def _expected_output_tokens(view: View, facts: Facts) -> int:
    output, lengths = facts.expected_output_tokens, view.expected.output_tokens
    if not lengths:
        return output
    bucket, most = bucket_of(facts), facts.max_tokens
    learnt = lengths.get((facts.key, bucket)) or lengths.get((None, bucket)) or lengths.get((None, None), output)
    return learnt if most is None or learnt < most else most


def most_usage(view: View, facts: Facts) -> Usage:
    """The tokens that are reserved for this request at this target: those of the longest answers that it may get, or of
    the expected ones where they have no bound."""
    expected = expected_usage(view, facts)
    each = facts.max_tokens
    if each is None:
        each = _longest_answer(view, facts, expected.input_tokens) or expected.output_tokens
    return Usage(input_tokens=expected.input_tokens, output_tokens=each * facts.answers)


def _longest_answer(view: View, facts: Facts, input_tokens: int) -> int | None:
    """Of one who states no ``max_tokens``; ``None`` where nothing bounds it but the target."""
    longest, window = facts.longest_answer, view.target.context_length
    if longest is None or window is None or surely_fits(facts.input_tokens, longest, window):
        return longest
    return max(1, window - input_tokens)


def surely_fits(input_tokens: int, output_tokens: int, window: int) -> bool:
    """Whether a prompt of so many estimated tokens has room for such an answer. Where not, no bound is sent: some
    targets refuse one that they cannot keep."""
    return PROMPT_MARGIN * input_tokens + output_tokens <= window


def most_usd(view: View, facts: Facts) -> float | None:
    """USD for ``most_usage``."""
    usage = most_usage(view, facts)
    if view.target.kind == "cluster":
        return None if view.cost is None else cluster_usd(view.cost, usage)
    return None if view.target.list_price is None else list_usd(view.target.list_price, usage)


def nano_usd(usd: float) -> int:
    """Rounded up: who reserves too little lets too much through."""
    return math.ceil(usd * NANO_USD_PER_USD)


def estimate(view: View, usage: Usage) -> tuple[float | None, float | None]:
    """``(USD per 1K tokens, USD)`` predicted on that target for a request that is expected to take this ``usage``.

    For a provider both come from its list price and the expected tokens, the first blended over them; for a cluster
    the first is the figure of its pool. A pool at zero would have to start for this request: then the start is in the
    second. (One that is starting has been paid for by whoever woke it.)
    """
    target, cost = view.target, view.cost
    if target.kind == "cluster":
        if cost is None or (usd_per_1k := decision_usd_per_1k(cost)) is None:
            return None, None
        usd = (usage.output_tokens + usage.input_tokens * cost.input_ratio) * usd_per_1k / 1000
        return usd_per_1k, _with_start(usd, cost) if view.state == "zero" else usd
    if target.list_price is None:
        return None, None
    usd = list_usd(target.list_price, usage)
    return usd * 1000 / ((usage.input_tokens + usage.output_tokens) or 1), usd


def _with_start(usd: float, cost: ClusterCost) -> float | None:
    return None if cost.start_usd is None else usd + cost.start_usd
