"""Whether a folder lies on an encrypted volume, as far as Linux tells."""

import os
from pathlib import Path


def encryption_of(folder: Path) -> tuple[bool, str]:
    """Return whether the folder's device is known to be encrypted, and that in words."""
    device = folder.stat().st_dev
    block = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}")
    if not block.exists():
        return False, "the volume cannot be seen from here"
    seen: set[str] = set()
    waiting = [block.resolve()]
    while waiting:
        place = waiting.pop()
        if str(place) in seen:
            continue
        seen.add(str(place))
        try:
            if (place / "dm/uuid").read_text("ascii", "replace").startswith("CRYPT-"):
                return True, f"{place.name} is encrypted"
        except OSError:
            pass
        # Volumes of volumes: what this one is made of, and the disk of a partition.
        if (place / "slaves").is_dir():
            waiting += [below.resolve() for below in (place / "slaves").iterdir()]
        if (place / "partition").exists():
            waiting.append(place.parent)
    return False, f"{block.resolve().name} is not encrypted by this system"
