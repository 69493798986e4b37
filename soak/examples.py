"""A pytest plugin: property tests run SOAK_TIMES as many examples as they do every day; other tests are left out."""

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings, stateful

_TIMES = int(os.environ.get("SOAK_TIMES", "20"))
_run_machine = stateful.run_state_machine_as_test


def _longer(known: settings | None) -> settings:
    known = known or settings()
    return settings(
        known,
        max_examples=_TIMES * known.max_examples,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def pytest_configure() -> None:
    """Make it so for those that run a state machine by themselves; test modules are imported later."""

    def run_longer(machine: Any, *, settings: settings | None = None, **more: Any) -> None:  # noqa: ANN401 - passed on
        _run_machine(machine, settings=_longer(settings), **more)

    stateful.run_state_machine_as_test = run_longer  # type: ignore[assignment] # the same but for the settings


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Make it so for all others."""
    kept = []
    for item in items:
        test: Any = getattr(item, "obj", None)
        function = getattr(test, "__func__", test)
        if getattr(function, "is_hypothesis_test", False):
            own = getattr(function, "_hypothesis_internal_use_settings", None)
            function._hypothesis_internal_use_settings = _longer(own)  # noqa: SLF001 - there is no other way
        elif _run_machine.__name__ not in getattr(getattr(function, "__code__", None), "co_names", ()):
            continue
        kept.append(item)
    items[:] = kept
