"""Sandboxes as values: their records, machines, differences and what a provider has to do. Pure."""
