"""A worker process, which applies its share of one load."""
