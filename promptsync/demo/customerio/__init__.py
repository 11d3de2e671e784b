"""What Customer.io would write of it."""
