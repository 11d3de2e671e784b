"""One open mirror and everything that writes it: deliveries, files, exports, plugins."""
