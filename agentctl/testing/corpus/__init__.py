"""The Markdown corpus of the languages and the folder: reading it, and answering its cases."""
