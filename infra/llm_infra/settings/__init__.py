"""A stack's configuration: read, checked as a whole, and handed on as frozen values."""
