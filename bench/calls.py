"""The HTTP requests that are measured, as templates for the load generator."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass

from bench.economy import Economy
from bench.inprocess import HOT_MODEL
from bench.load import KEY_LENGTH, MARK

Body = dict[str, object]
_VARIANTS = 512
_BATCH_VARIANTS = 32
BATCH = 100


@dataclass(frozen=True, slots=True)
class Calls:
    """Writes requests to one service for accounts of one economy."""

    economy: Economy
    host: str
    admin_key: str

    def charges(self) -> list[str]:
        """Single charges, half of them for the hot model."""
        dice = random.Random(1)
        return [self._request("POST", "/v1/charges", _charge(self.economy, dice), keyed=True) for _ in range(_VARIANTS)]

    def batches(self) -> list[str]:
        """The same, a hundred at a time, each with a key of its own."""
        dice = random.Random(2)
        return [
            self._request(
                "POST", "/v1/charges/batch",
                {"charges": [_charge(self.economy, dice) | {"idempotency_key": MARK} for _ in range(BATCH)]},
            )
            for _ in range(_BATCH_VARIANTS)
        ]  # fmt: skip

    def checks(self) -> list[str]:
        """Whether a charge could be paid."""
        dice = random.Random(3)
        return [self._request("POST", "/v1/check", _charge(self.economy, dice)) for _ in range(_VARIANTS)]

    def stats(self) -> list[str]:
        """An organization's tokens."""
        return self._each(lambda dice: ("GET", f"/api/v1/tokens/stats?organizationId={self._organization(dice)}", None))

    def deducts(self) -> list[str]:
        """Deductions by the sources' own path, a key each."""
        return self._each(
            lambda dice: ("POST", "/api/deduct-token", {"userId": self._user(dice), "amount": dice.randint(1, 20)}),
            keyed=True,
        )

    def others(self) -> dict[str, list[str]]:
        """Every other call that an app makes often, by name."""
        reads: dict[str, Callable[[random.Random], str]] = {
            "GET /v1/accounts/{id}": lambda dice: f"/v1/accounts/{self._user(dice)}",
            "GET /v1/accounts/{id}/wallets": lambda dice: f"/v1/accounts/{self._user(dice)}/wallets",
            "GET /v1/charges": lambda dice: f"/v1/charges?account_id={self._user(dice)}&limit=20",
            "GET /v1/models": lambda _: "/v1/models?limit=20",
            "GET /v1/earnings": lambda dice: f"/v1/earnings?account_id=u{dice.randint(1, self.economy.models)}",
            "GET /api/model-earnings": lambda dice: (
                f"/api/model-earnings?userId=u{dice.randint(1, self.economy.models)}"
            ),
        }
        found = {name: self._each(lambda dice, to=to: ("GET", to(dice), None)) for name, to in reads.items()}  # type: ignore[misc]
        found["POST /v1/holds"] = self._each(
            lambda dice: ("POST", "/v1/holds", _charge(self.economy, dice) | {"ttl_seconds": 3600}), keyed=True
        )
        found["POST /v1/accounts/{id}/grants"] = self._each(
            lambda dice: (
                "POST",
                f"/v1/accounts/{self._user(dice)}/grants",
                {"credit_type": "general", "amount": 10, "source": "gift"},
            ),
            keyed=True,
        )
        found["POST /api/v1/tokens/check-balance"] = self._each(
            lambda dice: (
                "POST",
                "/api/v1/tokens/check-balance",
                {"action": "check", "organizationId": self._organization(dice), "feature": "chat"},
            )
        )
        return found

    def _each(self, make: Callable[[random.Random], tuple[str, str, Body | None]], *, keyed: bool = False) -> list[str]:
        dice = random.Random(4)
        return [self._request(*make(dice), keyed=keyed) for _ in range(_VARIANTS)]

    def _user(self, dice: random.Random) -> str:
        return f"u{dice.choice(self.economy.payers)}"

    def _organization(self, dice: random.Random) -> str:
        return f"u{dice.choice(self.economy.payers[:-10]) // 10 * 10 + 10}"

    def _request(self, method: str, path: str, body: Body | None = None, *, keyed: bool = False) -> str:
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.host}", f"Authorization: Bearer {self.admin_key}"]
        if keyed:
            lines.append(f"Idempotency-Key: {MARK}")
        text = ""
        if body is not None:
            text = json.dumps(body, separators=(",", ":")).replace(json.dumps(MARK)[1:-1], MARK)
            length = len(text) + text.count(MARK) * (KEY_LENGTH - 1)
            lines += ["Content-Type: application/json", f"Content-Length: {length}"]
        return "\r\n".join([*lines, "", text])


def _charge(economy: Economy, dice: random.Random) -> Body:
    """A charge's body, as the measurements in process make theirs."""
    model = HOT_MODEL if dice.random() < 0.5 else dice.randint(2, economy.models)
    body: Body = {"account_id": f"u{dice.choice(economy.payers)}", "model_id": f"m{model}"}
    units = dice.randint(1, 20)
    if dice.random() < 0.25:
        return body | {"operation": "chat", "quantity": units}
    return body | {"amount": units, "usage_type": "image_generation"}
