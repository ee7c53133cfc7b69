"""One file a kind of load; files with an underscore hold what several kinds share."""
