"""What reaches a door elsewhere: HTTP with a bearer token, to a port or a Unix socket."""
