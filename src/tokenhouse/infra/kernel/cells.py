"""Cells of tables that spreadsheets open: no text is taken for a formula."""

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")
"""How a text begins that a spreadsheet could take for a formula."""


def text_cell(value: object) -> str:
    """Write a value as a text that is no formula: behind an apostrophe where it might be one."""
    text = str(value)
    return f"'{text}" if text.startswith(FORMULA) else text
