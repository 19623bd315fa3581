"""What fscost costs, as ratios to what a user would do instead: `make bench`."""
