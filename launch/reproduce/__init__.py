"""The paper's figures and tables, one command each."""
