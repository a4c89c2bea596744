"""Programs that are loops or have temporaries of any size: a stencil, bodies, options."""

from collections.abc import Iterator
from typing import Any

import numpy

from benchmarks.workloads.workload import Workload, given, normal, uniform

JACOBI_STEPS = 100
BODIES = 4096
SOFTENING = 1e-2
MANDELBROT_STEPS = 200
OPTIONS = 10_000_000
RATE, VOLATILITY = 0.02, 0.3


def workloads() -> Iterator[Workload]:
    yield jacobi(2048)
    yield bodies(BODIES)
    yield mandelbrot(1024)
    yield options(OPTIONS)
    yield Workload("a tiny call: 8 + 1", "calls", lambda words, w, x: x + 1, [normal(8)])


def jacobi(side: int) -> Workload:
    """Each element becomes the mean of its four neighbours, and those at the edges become zero."""

    def step(x: Any) -> Any:
        return 0.25 * (x[:-2, 1:-1] + x[2:, 1:-1] + x[1:-1, :-2] + x[1:-1, 2:])

    return Workload(
        f"Jacobi {side}², {JACOBI_STEPS} steps",
        "loops",
        lambda words, w, x: words.repeat(JACOBI_STEPS, lambda x: words.pad(step(x)), x),
        [normal(side, side)],
        error=1e-4,
        loops=True,
    )


def bodies(count: int) -> Workload:
    """Accelerations of bodies by each other's gravity, softened (Aarseth, 1963)."""

    def program(words: Any, weights: Any, x: Any, y: Any, z: Any, mass: Any) -> Any:
        apart = [each[None, :] - each[:, None] for each in (x, y, z)]
        square = apart[0] * apart[0] + apart[1] * apart[1] + apart[2] * apart[2] + SOFTENING
        pull = mass[None, :] / (square * words.sqrt(square))
        return tuple(words.sum(each * pull, 1) for each in apart)

    inputs = [normal(count), normal(count), normal(count), uniform(0.5, 1.5, count)]
    return Workload(
        f"{count} bodies", "loops", program, inputs, operations=20 * count * count, error=1e-4
    )


def mandelbrot(side: int) -> Workload:
    """How many of 200 steps of z = z² + c stay within 2 (Mandelbrot, 1980)."""
    real = numpy.linspace(-2, 0.5, side, dtype=numpy.float32)
    imaginary = numpy.linspace(-1.25, 1.25, side, dtype=numpy.float32)
    return Workload(
        f"Mandelbrot {side}², {MANDELBROT_STEPS} steps",
        "loops",
        lambda words, w, x, y: words.mandelbrot(x, y, MANDELBROT_STEPS),
        [given(real), given(imaginary)],
        error=1e-2,
        outliers=True,
        loops=True,
    )


def options(count: int) -> Workload:
    """Prices of calls and puts (Black and Scholes, 1973)."""

    def program(words: Any, weights: Any, price: Any, strike: Any, years: Any) -> Any:
        spread = VOLATILITY * words.sqrt(years)
        first = (words.log(price / strike) + (RATE + VOLATILITY**2 / 2) * years) / spread
        second = first - spread
        later = strike * words.exp(-RATE * years)
        call = price * _below(words, first) - later * _below(words, second)
        return call, call - price + later

    inputs = [uniform(10, 50, count), uniform(10, 50, count), uniform(0.5, 2, count)]
    name = f"Black-Scholes, {count // 10**6} M" if count >= 10**6 else f"Black-Scholes, {count}"
    return Workload(name, "loops", program, inputs, error=1e-4)


def _below(words: Any, x: Any) -> Any:
    """The normal distribution function."""
    return 0.5 + 0.5 * words.erf(x * 0.5**0.5)
