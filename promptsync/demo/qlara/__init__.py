"""What Qlara's API would answer of it."""
