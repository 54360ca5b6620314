"""Clocks, crashing stores, builders and fakes, for tests and evals only."""
