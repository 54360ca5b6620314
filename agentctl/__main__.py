"""`python -m agentctl` is the command `agentctl`."""

from agentctl.faces.cli.main import main

if __name__ == "__main__":
    main()
