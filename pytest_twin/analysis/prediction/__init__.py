"""Predict how much slower tests are beside the load of a recorded machine."""
