"""One scorer a file: (scenario, grounds) in, a score with its reasons out. Pure."""
