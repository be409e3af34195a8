"""Tables of what is refused late, and therefore looked at early.

Dated ones of what clouds offer, since their SDKs carry almost no such values, and what the catalogue's models take.
"""
