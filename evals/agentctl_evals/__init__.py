"""Replays recorded agent sessions against fixture clusters and scores safety before success."""
