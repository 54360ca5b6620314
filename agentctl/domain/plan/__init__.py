"""What follows: the difference between what is wanted and what is, as one value."""
