"""Telling people elsewhere: whom the operator's profile names, and how a notice gets there."""
