"""What runs commands in sandboxes: namespaces of bubblewrap, and the files that they work on."""
