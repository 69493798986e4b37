"""A pytest plugin: property tests run SOAK_EXAMPLES examples, whatever they ask for themselves."""

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

_EXAMPLES = int(os.environ.get("SOAK_EXAMPLES", "1000"))


def _longer(known: settings) -> settings:
    return settings(
        known,
        max_examples=max(_EXAMPLES, known.max_examples),
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


def pytest_configure() -> None:
    """Make it the default."""
    settings.register_profile("soak", _longer(settings.default))
    settings.load_profile("soak")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Overrule what tests ask for: their own number is for every day. Tests without examples are left out."""
    kept = []
    for item in items:
        test: Any = getattr(item, "obj", None)
        function = getattr(test, "__func__", test)
        machine = getattr(getattr(item, "cls", None), "settings", None)
        own = getattr(function, "_hypothesis_internal_use_settings", None)
        if machine is not None:
            item.cls.settings = _longer(machine)  # type: ignore[attr-defined]
        elif getattr(function, "is_hypothesis_test", False):
            function._hypothesis_internal_use_settings = _longer(own or settings.default)  # noqa: SLF001 - no other way
        else:
            continue
        kept.append(item)
    items[:] = kept
