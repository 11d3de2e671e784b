"""Customer.io's change sets, from the file to the rows."""
