"""The audit chain: what every write, gate and consent leaves behind."""
