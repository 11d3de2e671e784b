"""Files brought from configured places: which are new, fetched ahead, loaded in order, put away."""
