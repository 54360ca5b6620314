"""Archives behind the tools that write them: restic and kopia, run as commands."""
