"""A comparison for people: one file a form, all with the words of one."""
