"""How much is measured."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """Sizes of a run. Seconds are those of one measurement; everything is measured once a round."""

    rounds: int = 5
    seconds: float = 2.0
    yardstick_seconds: int = 3
    """pgbench takes whole seconds."""
    paced_seconds: float = 1.0
    endpoint_seconds: float = 0.6
    callers: tuple[int, ...] = (1, 16, 64, 256, 1024)
    models: int = 200
    wallets: int = 20_000
    large_wallets: int = 100_000
    large_uses: int = 1_000_000
    connections: int = 64
    batch_connections: int = 16
    pace: int = 600
    """Calls a second of the measurements that do not press as hard as they can."""
    http: bool = True
    only: tuple[str, ...] = ()
    """Where given, only what has one of these in its name is measured, beside the yardstick."""

    def wants(self, name: str) -> bool:
        """Whether a measurement is to be made."""
        return not self.only or any(part in name for part in self.only)


QUICK = Plan(
    rounds=1,
    seconds=0.4,
    yardstick_seconds=1,
    paced_seconds=0.2,
    endpoint_seconds=0.2,
    models=40,
    wallets=2_000,
    large_wallets=5_000,
    large_uses=20_000,
    callers=(1, 64, 256),
)
