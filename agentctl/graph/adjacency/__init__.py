"""Edges as arrays of numbers: ids by position, neighbours by position, and how far one can go."""
