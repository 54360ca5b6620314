"""A process of its own for a test: the product's command line, told to end while a step is at work.

Usage: interrupted_apply.py SIGNALS ARGUMENT…
"""

import os
import signal
import sys

from agentctl.domain.storage.protocol import ObjectStore
from agentctl.faces.cli.compose import compose
from agentctl.faces.cli.main import main
from agentctl.testing.crash import CrashingStore


class TellingStore(CrashingStore):
    """Sends the signals once the first intent to move a graph was written."""

    def __init__(self, inner: ObjectStore, signals: int) -> None:
        super().__init__(inner)
        self.left = signals

    async def create(self, key: str, data: bytes) -> bool:
        """Writes through, then tells."""
        made = await super().create(key, data)
        while key.startswith("__cluster/recoveries/") and self.left:
            self.left -= 1
            os.kill(os.getpid(), signal.SIGINT)
        return made


if __name__ == "__main__":
    count = int(sys.argv.pop(1))
    main(lambda: compose(wrap_store=lambda store: TellingStore(store, count)))
