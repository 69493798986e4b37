"""Extensions are files: found by a scan of a folder, or by an entry point of another distribution."""

import importlib
import pkgutil
from importlib.metadata import entry_points
from types import ModuleType


def discover(package_name: str, entry_point_group: str) -> tuple[ModuleType, ...]:
    """Import what extends a package: its modules by name (those with `_` first left out), then entry points.

    An entry point names a module. A module found twice comes once.
    """
    package = importlib.import_module(package_name)
    found: dict[str, ModuleType] = {}
    for info in sorted(pkgutil.iter_modules(package.__path__), key=lambda module: module.name):
        if not info.name.startswith("_"):
            module = importlib.import_module(f"{package_name}.{info.name}")
            found[module.__name__] = module
    for point in sorted(entry_points(group=entry_point_group), key=lambda entry: entry.name):
        module = point.load()
        if not isinstance(module, ModuleType):
            raise TypeError(f"the entry point {point.name} of {entry_point_group} must name a module")
        found.setdefault(module.__name__, module)
    return tuple(found.values())
