"""Sandboxes at work: the store of their history, which alone speaks SQL, and what is done with them."""
