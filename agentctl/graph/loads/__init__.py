"""Loads: lines and files become Arrow columns of a schema's types, strictly, in bounded memory."""
