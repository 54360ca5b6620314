"""What a person types to approve, so that nobody approves by a key pressed too often. Source: terminal 2."""


def name_to_type(resource: str) -> str:
    """Returns the name that is asked for: the address without its kind, and without a sandbox's id.

    ``old`` of ``graph.old``, ``cluster`` of ``cluster``, ``supply@sandbox`` of
    ``graph.supply@sandbox:<ULID>``, which nobody types.
    """
    return (resource.partition(".")[2] or resource).partition(":")[0]


def confirms(typed: str | None, resource: str) -> bool:
    """Returns whether *typed* names the resource: as it is asked for, or by its whole address."""
    return bool(typed) and typed in {resource, name_to_type(resource)}
