"""Carries out what the domain decided, and writes down what it is about to do before it does it."""
