"""Speed, memory and scaling, beside what a user would run instead; no timing is a test."""
