"""Handing changes to people: a commit on a branch, its push, and a pull request at a forge."""
