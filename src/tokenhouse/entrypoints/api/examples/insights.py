"""Figures, histories, forecasts and exports, for the reference."""

from typing import Any

EXAMPLES: dict[str, dict[str, Any]] = {}
