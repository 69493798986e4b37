"""Bonuses, goals, adjustments and reviews of odd use, for the reference."""

from typing import Any

EXAMPLES: dict[str, dict[str, Any]] = {}
