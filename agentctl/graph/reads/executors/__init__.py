"""Ways to follow edges and to join: every one gives the same rows, and cost decides which is taken."""
