"""Which key does what, as data. Every binding has a tooltip; the footer shows what is possible now."""

from textual.binding import Binding

WAITING = (
    Binding(
        "enter",
        "open",
        "open",
        priority=True,
        tooltip="Open the decision page of the chosen request",
    ),
    Binding("j", "down", "down", show=False, tooltip="Move down"),
    Binding("k", "up", "up", show=False, tooltip="Move up"),
    Binding("r", "refresh", "refresh", tooltip="Ask again what waits"),
    Binding(
        "s", "sandboxes", "sandboxes", tooltip="Look at the sandboxes in which things are tried"
    ),
    Binding("question_mark", "help", "why", tooltip="What this screen is for"),
    Binding("q", "quit", "quit", tooltip="Leave; nothing is decided by leaving"),
)

DECISION = (
    Binding("d", "deny", "deny", tooltip="Deny: then a number for the reason"),
    Binding("c", "changes", "ask for changes", tooltip="Send the work back with words"),
    Binding("a", "approve", "approve…", tooltip="Approve: type the resource's name, then sign"),
    Binding("n", "next", "next", tooltip="Go to the next that waits; this one stays undecided"),
    Binding("question_mark", "help", "why", tooltip="What the lines mean"),
    Binding("escape", "back", "back", tooltip="Leave it undecided"),
)

DENY_REASONS = (
    "not now",
    "wrong target",
    "too much",
    "not tried",
    "no reason given",
)
"""Keys 1 to 5; 6 is a reason of one's own."""
