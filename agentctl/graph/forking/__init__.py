"""A cluster's graphs as a sandbox sees them: branches of the real roots that stand for whole graphs."""
