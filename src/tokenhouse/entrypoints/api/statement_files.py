"""Statements as files: CSV, and PDF of as many pages as there are. The same month gives the same bytes."""

import csv
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from tokenhouse.domain.access.types import Account
from tokenhouse.domain.metering import Month
from tokenhouse.infra.kernel.cells import text_cell
from tokenhouse.infra.kernel.money import usd_said, usd_text

if TYPE_CHECKING:
    from reportlab.pdfgen.canvas import Canvas

WORDS = {
    "earning": "Earnings",
    "reversal": "Taken back",
    "adjustment": "Adjustment",
    "bonus": "Bonus",
    "payout": "Payout",
    "payout_back": "Payout given back",
}
"""What kinds of moves are called; another is called by its name."""
NOTHING = "Nothing moved in this month. Put a model on the market, and what its uses earn stands here."

_COLUMNS = (
    "date", "kind", "model_id", "payout_id", "uses", "credits", "amount_nano_usd", "amount_usd", "balance_nano_usd",
    "balance_usd",
)  # fmt: skip


def words(kind: str) -> str:
    """Say what a kind of move is called."""
    return WORDS.get(kind, kind.replace("_", " ").capitalize())


def csv_rows(month: Month) -> Iterator[str]:
    """Write a statement as lines of CSV: the opening balance, every move with the balance after it, the closing one."""
    yield _csv_line(_COLUMNS)
    balance = month.opening
    yield _csv_line(["", "opening", "", "", "", "", "", "", str(balance), usd_text(balance)])
    for move in month.moves:
        balance += move.nanos
        payout = str(move.payout_id) if move.payout_id else ""
        told = [move.day.isoformat(), move.kind, move.model_id or "", payout, str(move.uses), str(move.credits)]
        # Amounts stay numbers, below zero too: a spreadsheet adds them up.
        amounts = [str(move.nanos), usd_text(move.nanos), str(balance), usd_text(balance)]
        yield _csv_line([text_cell(cell) for cell in told] + amounts)
    yield _csv_line(["", "closing", "", "", "", "", "", "", str(month.closing), usd_text(month.closing)])


def _csv_line(cells: list[str] | tuple[str, ...]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(cells)
    return out.getvalue()


def pdf(account: Account, month: Month) -> bytes:
    """Write a statement as PDF, A4. It takes a while: not in the event loop."""
    from reportlab.lib.pagesizes import A4  # noqa: PLC0415 - a large library that few requests need
    from reportlab.lib.units import mm  # noqa: PLC0415 - the same
    from reportlab.platypus import LongTable, Paragraph, SimpleDocTemplate, Spacer  # noqa: PLC0415 - the same

    look = _Look()
    out = io.BytesIO()
    title = f"Statement {month.name}"
    document = SimpleDocTemplate(
        out, pagesize=A4, leftMargin=18 * mm, rightMargin=18 * mm, topMargin=18 * mm, bottomMargin=20 * mm,
        title=title, author="Tokenhouse", invariant=1,
    )  # fmt: skip
    story: list[Any] = [
        Paragraph(look.text(title), look.title),
        Paragraph(look.text(f"{account.name} ({account.external_id})"), look.body),
        Paragraph(look.text(f"By the calendar of {month.time_zone}, in US dollars{_so_far(month)}"), look.small),
        Spacer(1, 6 * mm),
        look.table(LongTable, _summary(month), [100 * mm, 74 * mm], look.sums(len(month.totals) + 2)),
        Spacer(1, 6 * mm),
    ]
    if month.moves:
        if not month.by_model:
            story.append(
                Paragraph(look.text("Many models moved; each line is a day's sum over all of them."), look.small)
            )
        rows = [["Date", "What", "Model or payout", "Uses", "Amount", "Balance"], *_lines(month)]
        widths = [21 * mm, 29 * mm, 50 * mm, 16 * mm, 29 * mm, 29 * mm]
        story.append(look.table(LongTable, rows, widths, look.lines(), repeat=1))
    else:
        story.append(Paragraph(look.text(NOTHING), look.body))

    def foot(canvas: "Canvas", page: Any) -> None:  # noqa: ANN401 - the library's own template, which is not typed
        canvas.setFont(look.plain, 7)
        canvas.drawString(18 * mm, 11 * mm, f"{account.external_id} - {title}")
        canvas.drawRightString(A4[0] - 18 * mm, 11 * mm, f"Page {page.page}")

    document.build(story, onFirstPage=foot, onLaterPages=foot)
    return out.getvalue()


def _so_far(month: Month) -> str:
    return "." if month.ended else ". The month is not over: these are its figures so far."


def _summary(month: Month) -> list[list[str]]:
    return [
        ["Opening balance", usd_said(month.opening)],
        *([words(kind), usd_said(nanos)] for kind, nanos in month.totals.items()),
        ["Closing balance", usd_said(month.closing)],
    ]


def _lines(month: Month) -> Iterator[list[str]]:
    balance = month.opening
    for move in month.moves:
        balance += move.nanos
        what = move.model_id or (str(move.payout_id) if move.payout_id else "")
        uses = f"{move.uses:,}" if move.kind in ("earning", "reversal") else ""
        yield [move.day.isoformat(), words(move.kind), what, uses, usd_said(move.nanos), usd_said(balance)]


class _Look:
    """Fonts, sizes and lines of a statement."""

    def __init__(self) -> None:
        from reportlab.lib.enums import TA_RIGHT  # noqa: PLC0415 - a large library that few requests need
        from reportlab.lib.styles import ParagraphStyle  # noqa: PLC0415 - the same
        from reportlab.pdfbase import pdfmetrics  # noqa: PLC0415 - the same
        from reportlab.pdfbase.ttfonts import TTFont  # noqa: PLC0415 - the same

        self.plain, self.bold = "Vera", "VeraBd"
        for name in (self.plain, self.bold):
            # Anew each time: a font notes which letters were used, and would carry them into the next file.
            pdfmetrics.registerFont(TTFont(name, f"{name}.ttf"))
        self._glyphs = pdfmetrics.getFont(self.plain).face.charToGlyph
        self.title = ParagraphStyle("title", fontName=self.bold, fontSize=16, leading=22)
        self.body = ParagraphStyle("body", fontName=self.plain, fontSize=9, leading=13)
        self.small = ParagraphStyle("small", fontName=self.plain, fontSize=7.5, leading=11)
        self.cell = ParagraphStyle("cell", fontName=self.plain, fontSize=7.5, leading=10, wordWrap="CJK")
        self.number = ParagraphStyle("number", parent=self.cell, alignment=TA_RIGHT)

    def text(self, text: str) -> str:
        """Write a text as markup that means itself; letters that the font lacks are told by `?`."""
        return escape("".join(letter if ord(letter) in self._glyphs else "?" for letter in text))

    def table(self, kind: Any, rows: list[list[str]], widths: list[float], style: list[Any], repeat: int = 0) -> Any:  # noqa: ANN401 - the library is not typed
        """Make a table; all columns but the first three, or the first of two, are numbers."""
        from reportlab.platypus import Paragraph  # noqa: PLC0415 - a large library that few requests need

        texts = 3 if len(widths) > 2 else 1
        cells = [
            [Paragraph(self.text(cell), self.cell if at < texts else self.number) for at, cell in enumerate(row)]
            for row in rows
        ]
        return kind(cells, colWidths=widths, repeatRows=repeat, style=style, hAlign="LEFT")

    def sums(self, rows: int) -> list[Any]:
        """Draw the sums: a line above the last."""
        return [
            ("LINEABOVE", (0, rows - 1), (-1, rows - 1), 0.7, (0, 0, 0)),
            ("LINEBELOW", (0, 0), (-1, 0), 0.3, (0, 0, 0)),
        ]

    def lines(self) -> list[Any]:
        """Draw the moves: a line below the heading, and a thin one below each."""
        return [
            ("LINEBELOW", (0, 0), (-1, 0), 0.7, (0, 0, 0)),
            ("LINEBELOW", (0, 1), (-1, -1), 0.2, (0.8, 0.8, 0.8)),
            ("VALIGN", (0, 0), (-1, -1), "TOP"),
            ("TOPPADDING", (0, 0), (-1, -1), 2),
            ("BOTTOMPADDING", (0, 0), (-1, -1), 2),
        ]
