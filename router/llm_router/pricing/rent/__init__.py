"""Which nodes are worth their rent: ski rental for pools that may have fewer or more of them."""

from __future__ import annotations

from .account import AccountView, Why
from .book import RentBook
from .rule import PoolTerms, RentRule, terms_of

__all__ = ["AccountView", "PoolTerms", "RentBook", "RentRule", "Why", "terms_of"]
