"""Prompts as Markdown files: ``<role>/<purpose>.md``."""
