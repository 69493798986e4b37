"""Background jobs: named tasks and how often each runs."""

from tokenhouse.entrypoints.jobs.runner import run

__all__ = ["run"]
