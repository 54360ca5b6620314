"""What is wanted, what is, and what follows. Pure: no IO, no clock, no randomness."""
