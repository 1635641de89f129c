"""What leaves a sweep: exported networks, and what is said of them."""
