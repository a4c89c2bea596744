"""What goes wrong with named state, word for word."""

import numpy

import stepwell
from messages import expect


def test_states_that_differ_between_entry_points() -> None:
    entries = {
        "one": (lambda x, c: (x, c), "f32", stepwell.state("c", {"k": numpy.zeros(3, "f4")})),
        "two": (lambda x, c: (x, c), "f32", stepwell.state("c", {"k": numpy.zeros(4, "f4")})),
        "three": (lambda x, c: (x, c), "f32", stepwell.state("c", {"k": numpy.ones(3, "f4")})),
    }
    expect(
        lambda: stepwell.compile(entries),
        """
        SW0145: one and two have different states called c
          --> model.py:N
           |     lambda: stepwell.compile(entries),
           |             ^^^^^^^^^^^^^^^^^^^^^^^^^
          one has c['k']: f32[3]
          two has c['k']: f32[4]
          help: make the state once, and give it to both
        """,
    )
    del entries["two"]
    expect(
        lambda: stepwell.compile(entries),
        """
        SW0145: one and three have different states called c
          --> model.py:N
           |     lambda: stepwell.compile(entries),
           |             ^^^^^^^^^^^^^^^^^^^^^^^^^
          they begin with different values
          help: make the state once, and give it to both
        """,
    )


def test_a_next_state_of_another_type() -> None:
    cache = stepwell.state("cache", {"k": numpy.zeros((2, 3), "f4")})
    expect(
        lambda: stepwell.compile(lambda c: (1, {"k": c["k"][0]}), cache),
        """
        SW0146: the state cache['k'] becomes, in main, f32[3], and should be f32[2,3]
          --> model.py:N
           |     lambda: stepwell.compile(lambda c: (1, {"k": c["k"][0]}), cache),
           |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          help: a state keeps its dtype and its shape, but for the symbols in its specs
        """,
    )
    expect(
        lambda: stepwell.state("cache", numpy.zeros((2, 3), "f4"), "f32[T, 4]"),
        """
        SW0146: the state cache begins as f32[2, 3], and should be f32[T,4]
          --> model.py:N
           |     lambda: stepwell.state("cache", numpy.zeros((2, 3), "f4"), "f32[T, 4]"),
           |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          help: a state keeps its dtype and its shape, but for the symbols in its specs
        """,
    )


def test_a_function_that_does_not_give_the_next_state() -> None:
    cache, count = stepwell.state("cache", 0.0), stepwell.state("count", 0)
    expect(
        lambda: stepwell.compile({"look": (lambda x, a, b: (x + a, b), "f32", cache, count)}),
        """
        SW0147: look gives a tuple of 2, and should give a tuple of 3: its result, then the next cache, count
          --> model.py:N
           |     lambda: stepwell.compile({"look": (lambda x, a, b: (x + a, b), "f32", cache, count)}),
           |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
          help: to read a state and not change it, give cache.read_only
        """,  # noqa: E501
    )
