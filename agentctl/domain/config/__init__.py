"""What is wanted: the model of a cluster folder, how its text is loaded, and how it is checked."""
