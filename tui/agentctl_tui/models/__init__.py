"""Pure view models: what a screen shows, computed without a terminal."""
