"""Payouts and statements, for the reference."""

from typing import Any

EXAMPLES: dict[str, dict[str, Any]] = {}
