"""What a representation is worth: arms, scores, statistics."""
