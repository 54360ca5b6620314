"""The registry as a command line."""
