"""The demo: the main job on the machine's own Python packages. Its cluster and session are data here."""
