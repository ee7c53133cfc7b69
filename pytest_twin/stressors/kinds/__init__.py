"""The kinds of load, one file each; files with an underscore hold what several kinds share."""
