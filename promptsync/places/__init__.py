"""Where files can be fetched from, one module per way, all behind one protocol."""
