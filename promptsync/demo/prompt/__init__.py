"""What Prompt would send of it."""
