"""The study's figures and tables, one command each."""
