"""Replays recorded agent sessions against fixture clusters and scores safety before success.

Grading reads the ledger, the graphs and the audit chain, never what the agent said of itself.
"""
