"""`.pg`: the schema language of a graph."""
