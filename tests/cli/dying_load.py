"""A process of its own for a test: the product's command line over a store that stops at a write.

Usage: dying_load.py WRITE ARGUMENT…
"""

import sys

from agentctl.faces.cli.compose import compose
from agentctl.faces.cli.main import main
from agentctl.testing.crash import CrashingStore

if __name__ == "__main__":
    at = int(sys.argv.pop(1))
    main(lambda: compose(wrap_store=lambda store: CrashingStore(store, at, "before", kill=True)))
