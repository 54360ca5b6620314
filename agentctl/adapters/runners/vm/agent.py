"""The agent of a guest as text, for whoever makes a golden image."""

from importlib.resources import files


def agent_script() -> str:
    """Returns the shell script that a golden image's init starts as root, and starts again."""
    return files("agentctl.adapters.runners.vm").joinpath("agent.sh").read_text(encoding="utf-8")
