"""Deliveries over HTTP, whichever vendor posts them: received, proven genuine, stored before they are answered."""
