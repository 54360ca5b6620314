"""Consent: requests, signed decisions, and whether one still stands. Pure machine, no keys read."""
