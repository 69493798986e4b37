"""The settings of payouts' methods: a part of Settings, which reads them."""

import base64
import binascii
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator

if TYPE_CHECKING:
    from tokenhouse.domain.payouts.types import Bank, Setup

_LEAST_SECRET_BYTES = 24


class PayoutSettings(BaseModel):
    """What bank files and the payout webhook need to know."""

    payout_currency: Literal["USD", "EUR"] = "USD"
    """What bank files pay in; EUR needs payout_rate."""
    payout_rate: Annotated[Decimal, Field(gt=0, le=1000, decimal_places=9)] | None = None
    """Euros per dollar, such as 0.92. Kept with each batch; change it whenever you like."""
    payout_debtor_name: Annotated[str, Field(min_length=1, max_length=70)] | None = None
    """Whose account bank files pay from, as the bank knows the name; needed for pain.001, as is the IBAN."""
    payout_debtor_iban: str | None = None
    payout_debtor_bic: Annotated[str, Field(pattern=r"^[A-Z]{6}[A-Z0-9]{2}([A-Z0-9]{3})?$")] | None = None
    payout_pain: Literal["001.001.03", "001.001.09"] = "001.001.09"
    """Which version of pain.001 the bank takes."""
    payout_webhook_url: Annotated[str, Field(pattern=r"^https?://[^\s?#@]+$", max_length=500)] | None = None
    """Where payouts by `webhook` are sent; needs payout_webhook_secret."""
    payout_webhook_secret: SecretStr | None = None
    """What they are signed with: `whsec_` and base64 of 24 bytes or more."""
    payout_webhook_private: bool = False
    """Whether the webhook may lie in a private network or on this machine, and be reached without TLS."""

    @field_validator("payout_debtor_iban")
    @classmethod
    def _is_iban(cls, text: str | None) -> str | None:
        from tokenhouse.domain.payouts import iban_of  # noqa: PLC0415 - few commands want it

        return None if text is None else iban_of(text)

    @field_validator("payout_webhook_secret")
    @classmethod
    def _signs(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None:
            try:
                length = len(base64.b64decode(secret.get_secret_value().removeprefix("whsec_"), validate=True))
            except binascii.Error:
                length = 0
            if length < _LEAST_SECRET_BYTES:
                raise ValueError("must be base64 of 24 bytes or more: echo whsec_$(openssl rand -base64 32)")
        return secret

    @model_validator(mode="after")
    def _can_pay(self) -> Self:
        if self.payout_currency == "EUR" and self.payout_rate is None:
            raise ValueError("payout_currency EUR needs payout_rate beside it: euros per dollar")
        if (self.payout_debtor_name is None) != (self.payout_debtor_iban is None):
            raise ValueError("payout_debtor_name and payout_debtor_iban belong together")
        if (self.payout_webhook_url is None) != (self.payout_webhook_secret is None):
            raise ValueError("payout_webhook_url and payout_webhook_secret belong together")
        if (self.payout_webhook_url or "").startswith("http://") and not self.payout_webhook_private:
            raise ValueError("payout_webhook_url must be an https address, unless payout_webhook_private is set")
        return self

    @property
    def payout_bank(self) -> "Bank":
        """What bank files pay in, and from whose account."""
        from tokenhouse.domain.payouts.types import Bank, Debtor  # noqa: PLC0415 - the same

        debtor = None
        if self.payout_debtor_name is not None and self.payout_debtor_iban is not None:
            debtor = Debtor(self.payout_debtor_name, self.payout_debtor_iban, self.payout_debtor_bic)
        rate = self.payout_rate if self.payout_currency != "USD" and self.payout_rate is not None else Decimal(1)
        return Bank(self.payout_currency, int(rate.scaleb(9)), debtor, self.payout_pain)

    @property
    def payout_methods(self) -> "Setup":
        """What methods that send by themselves are set up with."""
        from tokenhouse.domain.payouts.types import Setup  # noqa: PLC0415 - the same

        secret = self.payout_webhook_secret
        return Setup(
            webhook_url=self.payout_webhook_url,
            webhook_secret=secret.get_secret_value() if secret else None,
            webhook_private=self.payout_webhook_private,
        )
