"""The run folder: what lies where, who writes it, what it comes to."""
