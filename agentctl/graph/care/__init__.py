"""A graph looked after: proven whole, kept quick, and rid of what nothing names any more."""
