"""The files that banks take, as bytes: CSV, and SEPA's pain.001. The same batch gives the same bytes. Pure."""

import csv
import io
from collections.abc import Sequence
from datetime import UTC, date, datetime
from uuid import UUID
from xml.etree import ElementTree as ET

from tokenhouse.domain.payouts.banking import cents_text, latin
from tokenhouse.domain.payouts.types import Bank, Debtor, Line
from tokenhouse.infra.kernel.cells import text_cell
from tokenhouse.infra.kernel.money import usd_text

_COLUMNS = (
    "payout_id", "reference", "account_id", "name", "iban", "bic", "account_number", "routing_number", "currency",
    "amount", "amount_usd", "execution_date",
)  # fmt: skip
_NAME_LENGTH = 70
_NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain."
_OLD = "001.001.03"


def reference_of(payout_id: UUID) -> str:
    """Give the name by which a bank knows a payment: 32 of the 35 characters that it may have."""
    return payout_id.hex


def csv_file(bank: Bank, execution_date: date, lines: Sequence[Line]) -> bytes:
    """Write the payments as CSV in UTF-8, a heading first; no cell is a formula to a spreadsheet."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(_COLUMNS)
    for line in lines:
        told = [line.details.get(name, "") for name in ("name", "iban", "bic", "account_number", "routing_number")]
        amounts = [bank.currency, cents_text(line.cents), usd_text(line.nanos), execution_date.isoformat()]
        row = [str(line.id), line.reference, line.account, *told, *amounts]
        writer.writerow([text_cell(cell) for cell in row])
    return out.getvalue().encode()


def pain_file(
    bank: Bank, debtor: Debtor, batch_id: UUID, created_at: datetime, execution_date: date, lines: Sequence[Line]
) -> bytes:
    """Write the payments as a credit transfer of SEPA (pain.001), one block of payments from one account.

    Names are written with the letters that every bank takes. Each line's details have an IBAN.
    """
    old = bank.pain == _OLD
    bic = "BIC" if old else "BICFI"
    count, total = str(len(lines)), cents_text(sum(line.cents for line in lines))
    document = ET.Element("Document", xmlns=_NAMESPACE + bank.pain)
    root = ET.SubElement(document, "CstmrCdtTrfInitn")
    created = created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    header = _under(root, "GrpHdr", MsgId=f"TH{batch_id.hex}", CreDtTm=created, NbOfTxs=count, CtrlSum=total)
    _under(header, "InitgPty", Nm=latin(debtor.name, _NAME_LENGTH))
    block = _under(root, "PmtInf", PmtInfId=f"TP{batch_id.hex}", PmtMtd="TRF", NbOfTxs=count, CtrlSum=total)
    _under(_under(_under(block, "PmtTpInf"), "SvcLvl"), Cd="SEPA")
    if old:
        _under(block, ReqdExctnDt=execution_date.isoformat())
    else:
        _under(_under(block, "ReqdExctnDt"), Dt=execution_date.isoformat())
    _under(block, "Dbtr", Nm=latin(debtor.name, _NAME_LENGTH))
    _under(_under(_under(block, "DbtrAcct"), "Id"), IBAN=debtor.iban)
    agent = _under(_under(block, "DbtrAgt"), "FinInstnId")
    if debtor.bic is None:
        _under(_under(agent, "Othr"), Id="NOTPROVIDED")
    else:
        _under(agent, **{bic: debtor.bic})
    _under(block, ChrgBr="SLEV")
    for line in lines:
        _payment(block, bank, bic, line)
    ET.indent(document)
    content: bytes = ET.tostring(document, encoding="UTF-8", xml_declaration=True)
    return content + b"\n"


def _payment(block: ET.Element, bank: Bank, bic: str, line: Line) -> None:
    """Write one payment. The order of the elements is the schema's."""
    one = _under(block, "CdtTrfTxInf")
    _under(one, "PmtId", EndToEndId=line.reference)
    amount = _under(_under(one, "Amt"), "InstdAmt")
    amount.set("Ccy", bank.currency)
    amount.text = cents_text(line.cents)
    if "bic" in line.details:
        _under(_under(_under(one, "CdtrAgt"), "FinInstnId"), **{bic: line.details["bic"]})
    _under(one, "Cdtr", Nm=latin(line.details["name"], _NAME_LENGTH))
    _under(_under(_under(one, "CdtrAcct"), "Id"), IBAN=line.details["iban"])
    _under(one, "RmtInf", Ustrd=f"Payout {line.reference}")


def _under(parent: ET.Element, name: str | None = None, /, **texts: str) -> ET.Element:
    """Add an element (none: stay) and, under it, elements with texts, in this order."""
    element = parent if name is None else ET.SubElement(parent, name)
    for tag, text in texts.items():
        ET.SubElement(element, tag).text = text
    return element
