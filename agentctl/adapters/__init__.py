"""The outside world, one folder a kind. Decides nothing."""
