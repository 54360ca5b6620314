"""The graph engine over Lance: a library of its own, which takes an object store as a value."""
