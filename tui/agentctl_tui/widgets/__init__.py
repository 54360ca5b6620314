"""One widget a file. A widget shows a view model and sends messages; it never calls a backend."""
