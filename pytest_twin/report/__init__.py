"""Reports for people, and the JSON document."""
