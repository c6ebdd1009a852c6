"""From files to labelled, split and normalised arrays."""
