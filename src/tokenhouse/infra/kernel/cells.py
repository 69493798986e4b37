"""Cells of tables that spreadsheets open."""

import re

_FORMULA = re.compile(r"[=+\-@\t\r\n\0]")


def text_cell(text: str) -> str:
    """Write a text so that no spreadsheet takes it for a formula: a leading `'` where it might."""
    return f"'{text}" if _FORMULA.match(text) else text
