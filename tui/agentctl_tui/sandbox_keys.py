"""Which key does what on the screens of sandboxes, as data. Every binding has a tooltip."""

from textual.binding import Binding

SANDBOXES = (
    Binding("enter", "open", "open", priority=True, tooltip="Open the chosen sandbox"),
    Binding("j", "down", "down", show=False, tooltip="Move down"),
    Binding("k", "up", "up", show=False, tooltip="Move up"),
    Binding("x", "close", "close…", tooltip="Close the chosen sandbox; you are asked first"),
    Binding("r", "refresh", "refresh", tooltip="Ask again which sandboxes there are"),
    Binding("question_mark", "help", "why", tooltip="What this screen is for"),
    Binding("escape", "back", "back", tooltip="Back to what waits for a decision"),
)

SANDBOX = (
    Binding("1", "pane('difference')", "difference", show=False, tooltip="What changed in it"),
    Binding("2", "pane('commands')", "commands", show=False, tooltip="What was done in it"),
    Binding("3", "pane('snapshots')", "snapshots", show=False, tooltip="How it was kept"),
    Binding("tab", "next(1)", "panes", priority=True, tooltip="The next pane; or 1, 2, 3"),
    Binding("shift+tab", "next(-1)", "back", show=False, priority=True, tooltip="The pane before"),
    Binding("enter", "open", "open", priority=True, tooltip="Open what is chosen in the pane"),
    Binding("j", "down", "down", show=False, tooltip="Move down"),
    Binding("k", "up", "up", show=False, tooltip="Move up"),
    Binding("w", "whole", "whole", tooltip="Show long lists whole, or cut them again"),
    Binding("s", "snapshot", "snapshot…", tooltip="Keep the sandbox as it is, under a name"),
    Binding("x", "close", "close…", tooltip="Close the sandbox; you are asked first"),
    Binding("r", "refresh", "refresh", tooltip="Compare anew"),
    Binding("question_mark", "help", "why", tooltip="What the panes show"),
    Binding("escape", "back", "back", tooltip="Back to the list; the sandbox stays as it is"),
)

COMMAND = (
    Binding("j", "down", "down", show=False, tooltip="Move down"),
    Binding("k", "up", "up", show=False, tooltip="Move up"),
    Binding("escape", "back", "back", tooltip="Back to the commands"),
)

CLOSING = (
    Binding("y", "agree", "close it", tooltip="Close the sandbox: nothing of it is left"),
    Binding("n,escape", "leave", "keep it", key_display="n", tooltip="The sandbox stays as it is"),
)
