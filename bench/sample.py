"""What one measurement found."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sample:
    """Operations, the seconds that they took in all, and each one's latency in seconds, sorted.

    python_us and postgres_us: processor time an operation; 0: not taken. failed: how many were refused.
    """

    count: int
    seconds: float
    latencies: Sequence[float] = ()
    python_us: float = 0.0
    postgres_us: float = 0.0
    failed: int = 0
    note: str = ""

    @property
    def rate(self) -> float:
        """Operations a second."""
        return self.count / self.seconds if self.seconds else 0.0

    def quantile(self, share: float) -> float | None:
        """The latency, in ms, that this share of the operations kept within."""
        if not self.latencies:
            return None
        return self.latencies[min(len(self.latencies) - 1, int(len(self.latencies) * share))] * 1000
