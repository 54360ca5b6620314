"""Prompts by name, with typed slots."""
