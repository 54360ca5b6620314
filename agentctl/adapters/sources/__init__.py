"""Where the text of a cluster comes from: a directory."""
