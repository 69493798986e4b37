"""Reviews, bulk changes and transfers of models, for the reference."""

from typing import Any

EXAMPLES: dict[str, dict[str, Any]] = {}
