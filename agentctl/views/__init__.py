"""Values as text, Markdown, JSON and tables. Pure."""
