"""Branches of a graph: points of their history, how they are cut and deleted, compared and merged."""
