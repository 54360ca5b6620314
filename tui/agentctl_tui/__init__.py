"""The terminal: what waits for a human, and the page on which it is decided."""
