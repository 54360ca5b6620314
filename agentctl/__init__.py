"""agentctl: agents run a cluster of graph databases; a human keeps a hand on what cannot be undone.

Eight wings, each of which may use those above it in `docs/architecture.md` and none below.
"""

__version__ = "0.1.0"
