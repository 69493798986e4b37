"""Models, characters, purchases and ownership."""

from tokenhouse.domain.market.service import (
    create_character,
    create_model,
    find_character,
    find_model,
    find_models,
    list_models,
    lock_model,
    owned_by,
    pricing_versions,
    purchase,
    remove_model,
    update_model,
)

__all__ = [
    "create_character",
    "create_model",
    "find_character",
    "find_model",
    "find_models",
    "list_models",
    "lock_model",
    "owned_by",
    "pricing_versions",
    "purchase",
    "remove_model",
    "update_model",
]
