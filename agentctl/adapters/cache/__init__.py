"""The user's cache folder: answers that can be made anew at any time, and are never trusted further."""
