"""The garbage collector of a process that serves for long."""

import gc

_YOUNG_OBJECTS = 20_000  # a batch of charges makes some thousands, which its end frees without any collector


def calm() -> None:
    """Keep the collector from walking what is here to stay (code, routes, the catalog) and from running in each batch.

    Call it once a process is ready.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 20, 50)
