"""How training runs: optimizer, epochs, seeds, checkpoints."""
