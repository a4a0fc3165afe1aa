"""What replies mean: rows of the store for each key that was asked."""
