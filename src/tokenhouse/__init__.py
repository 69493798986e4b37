"""Tokenhouse: a self-hosted house for tokens, credits and creators' earnings."""

__version__ = "0.1.0"
