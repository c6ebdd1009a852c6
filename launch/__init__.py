"""One thin command-line module a verb."""
