"""Folders for as long as something is worked on."""
