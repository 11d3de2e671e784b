"""One person across all vendors: what is held of them, and its removal."""
