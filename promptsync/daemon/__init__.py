"""The running process: what it starts, when work is due, who may ask it for what, how it tells that it is well."""
