"""The HTTP face: the listener, the JSON routes over the registry, and the ASGI apps mounted beside them."""
