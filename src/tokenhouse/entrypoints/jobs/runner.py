"""The jobs process."""

import asyncio
import signal

from tokenhouse.settings import Settings


async def run(settings: Settings) -> None:
    """Run every task when it is due, until SIGTERM."""
    del settings
    done = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, done.set)
    await done.wait()
