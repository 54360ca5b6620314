"""The one door: every operation of the runtime, declared once."""
