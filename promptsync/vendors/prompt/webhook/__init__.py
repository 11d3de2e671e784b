"""Prompt's deliveries over HTTP: received, proven genuine, stored before they are answered."""
