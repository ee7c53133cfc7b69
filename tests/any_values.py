"""Whatever a JSON or TOML file may hold, for Hypothesis, and what a reader makes of it."""

from hypothesis import strategies as st

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.from_regex(r"-?[0-9]{1,5}(\.[0-9]{1,3})?\s?(%|B|kB|MiB|GB/s|ms|s|m|h|d)?\n?", fullmatch=True)
    | st.sampled_from(["max", "75%", "1GiB", "50MB/s", "1m30s", "365d", "-5\n%", "-5s\n", "400d\n"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def tried(error, read, *arguments):
    """What a reader gives, and what it raises: one of them is None."""
    try:
        return read(*arguments), None
    except error as caught:
        return None, caught
