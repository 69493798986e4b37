"""What knows nothing of the business: the database and the kernel."""
