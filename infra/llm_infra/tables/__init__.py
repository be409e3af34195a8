"""Dated tables of what clouds offer: the SDKs carry almost no such values, and a cloud refuses a wrong one late."""
