"""What a user of `tiny` writes; `test_plugin.py` runs it where the package is installed."""

import numpy as np
from tiny import shift

import stepwell as sw
import stepwell.numpy as snp

x = np.float32([1, 2, 3, 4])


def energy(x: sw.Array) -> sw.Array:
    return snp.sum((x - shift(x, 1)) ** 2)


# By reference, compiled for any size, differentiated in both directions, and over a batch.
assert shift(x, 1).tolist() == [0, 1, 2, 3]
assert sw.compile(lambda x: x - shift(x, -2), x="f32[N]")(x).tolist() == [-2, -2, 3, 4]
assert sw.grad(energy)(x).tolist() == [0, 0, 0, 2]
assert sw.jit(sw.grad(energy))(x).tolist() == [0, 0, 0, 2]
assert sw.jvp(energy, (x,), (np.ones_like(x),))[1].item() == 2
assert sw.vmap(lambda x: shift(x, 1))(x.reshape(2, 2)).tolist() == [[0, 1], [0, 3]]
print("the op works")
