"""Models, characters, purchases, ownership and reviews."""

from tokenhouse.domain.market.reviews import (
    find_review,
    list_reviews,
    moderate_review,
    remove_review,
    write_review,
)
from tokenhouse.domain.market.sales import purchase, refund, transfer
from tokenhouse.domain.market.service import (
    categories,
    create_character,
    create_model,
    decide_submission,
    find_character,
    find_model,
    find_models,
    list_characters,
    list_models,
    owned_by,
    pricing_versions,
    put_model,
    remove_character,
    remove_model,
    update_character,
    update_model,
)
from tokenhouse.domain.market.sheet import read_sheet, write_sheet

__all__ = [
    "categories",
    "create_character",
    "create_model",
    "decide_submission",
    "find_character",
    "find_model",
    "find_models",
    "find_review",
    "list_characters",
    "list_models",
    "list_reviews",
    "moderate_review",
    "owned_by",
    "pricing_versions",
    "purchase",
    "put_model",
    "read_sheet",
    "refund",
    "remove_character",
    "remove_model",
    "remove_review",
    "transfer",
    "update_character",
    "update_model",
    "write_review",
    "write_sheet",
]
