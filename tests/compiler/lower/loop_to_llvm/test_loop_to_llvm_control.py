"""Loops, branches and threads."""

import numpy as np
import pytest


def test_a_loop_hands_on_what_it_carries(agree):
    source = """
loop.kernel @k<N: 0>(%x: !loop.buffer<[N] x f32>) -> (%y: !loop.buffer<[2] x f32>) {
  %zero = loop.index 0
  %one = loop.index 1
  %n = loop.index N
  %start = arith.constant 0.0 : f32
  %sum, %last = loop.for %i = %zero to %n step 2 carry(%s = %start : f32, %l = %start : f32) {
    %v = loop.load %x[%i] : !loop.buffer<[N] x f32> to f32
    %t = arith.addf %s, %v : f32
    loop.yield %t, %s : f32, f32
  }
  loop.store %sum, %y[%zero] : f32 to !loop.buffer<[2] x f32>
  loop.store %last, %y[%one] : f32 to !loop.buffer<[2] x f32>
}"""
    for count in (0, 1, 6, 9):
        x = np.arange(count, dtype=np.float32)
        _, y = agree(source, [x, np.ones(2, np.float32)], {"N": count})
        assert y[0] == x[::2].sum()


def test_a_nest_of_loops_with_vectors(agree):
    source = """
loop.kernel @k(%x: !loop.buffer<[6, 32] x f32>) -> (%y: !loop.buffer<[32] x f32>) {
  %zero = loop.index 0
  %rows = loop.index 6
  %columns = loop.index 32
  loop.for %j = %zero to %columns step 16 {
    %start = arith.constant dense<0.0> : vector<16xf32>
    %sum = loop.for %i = %zero to %rows step 1 carry(%s = %start : vector<16xf32>) {
      %o = loop.index (32) * %i + %j
      %v = loop.load %x[%o] : !loop.buffer<[6, 32] x f32> to vector<16xf32>
      %t = math.fma %v, %v, %s : vector<16xf32>
      loop.yield %t : vector<16xf32>
    }
    loop.store %sum, %y[%j] : vector<16xf32> to !loop.buffer<[32] x f32>
    loop.yield
  }
}"""
    x = np.random.default_rng(0).standard_normal((6, 32)).astype(np.float32)
    agree(source, [x, np.zeros(32, np.float32)])


def test_branches(agree):
    source = """
loop.kernel @k(%x: !loop.buffer<[8] x f32>) -> (%y: !loop.buffer<[8] x f32>) {
  %zero = loop.index 0
  %n = loop.index 8
  %limit = arith.constant 3.0 : f32
  loop.for %i = %zero to %n step 1 {
    %v = loop.load %x[%i] : !loop.buffer<[8] x f32> to f32
    %c = loop.compare lt %v, %limit : f32
    %r = loop.if %c {
      %d = arith.addf %v, %v : f32
      loop.yield %d : f32
    } else {
      %even = loop.compare ne %v, %limit : f32
      %e = loop.if %even {
        loop.yield %limit : f32
      } else {
        loop.yield %v : f32
      } : f32
      loop.yield %e : f32
    } : f32
    loop.if %c {
      loop.store %r, %y[%i] : f32 to !loop.buffer<[8] x f32>
      loop.yield
    } else {
      loop.yield
    }
    loop.yield
  }
}"""
    x = np.array([0, 5, 1, 3, 2, 7, np.nan, -4], np.float32)
    _, y = agree(source, [x, np.full(8, 9, np.float32)])
    assert list(y) == [0, 9, 2, 9, 4, 9, 9, -8]


def test_while(agree):
    source = """
loop.func @run(%x: !loop.buffer<[1] x i64>) -> (%y: !loop.buffer<[1] x i64>) {
  %zero = loop.index 0
  %one = arith.constant 1 : i64
  %two = arith.constant 2 : i64
  loop.copy %x, %y : !loop.buffer<[1] x i64> to !loop.buffer<[1] x i64>
  loop.while {
    %v = loop.load %y[%zero] : !loop.buffer<[1] x i64> to i64
    %w = loop.load %x[%zero] : !loop.buffer<[1] x i64> to i64
    %square = arith.muli %v, %v : i64
    %c = loop.compare gt %square, %w : i64
    loop.condition %c
  } do {
    %v = loop.load %y[%zero] : !loop.buffer<[1] x i64> to i64
    %w = arith.subi %v, %one : i64
    loop.store %w, %y[%zero] : i64 to !loop.buffer<[1] x i64>
  }
}"""
    _, y = agree(source, [np.array([50]), np.zeros(1, np.int64)])
    assert y[0] == 7


def test_threads_get_what_is_defined_outside(agree):
    """Scalars of every width, truth values, vectors, masks, sizes, buffers, constants."""
    source = """
loop.kernel @k<N: 1>(%x: !loop.buffer<[N] x f32>, %f: !loop.buffer<[4] x i1>)
    -> (%y: !loop.buffer<[N, 4] x f32>) {
  %zero = loop.index 0
  %n = loop.index N
  %scale = loop.load %x[%zero] : !loop.buffer<[N] x f32> to f32
  %flag = loop.load %f[%zero] : !loop.buffer<[4] x i1> to i1
  %flags = loop.load %f[%zero] : !loop.buffer<[4] x i1> to vector<4xi1>
  %row = loop.splat %scale : f32 to vector<4xf32>
  %wide = loop.load %x[%zero] : !loop.buffer<[N] x f32> to vector<8xf32>
  %two = arith.constant 2.0 : f32
  loop.parallel %i to %n {
    %v = loop.load %x[%i] : !loop.buffer<[N] x f32> to f32
    %w = arith.mulf %v, %scale : f32
    %double = arith.mulf %w, %two : f32
    %u = loop.select %flag, %double, %v : i1, f32
    %s = loop.splat %u : f32 to vector<4xf32>
    %t = loop.select %flags, %s, %row : vector<4xi1>, vector<4xf32>
    %last = loop.extract %wide at <7> : vector<8xf32> to f32
    %l = loop.splat %last : f32 to vector<4xf32>
    %r = arith.addf %t, %l : vector<4xf32>
    %size = loop.index 4*N - 4
    %o = loop.index (4) * %i
    %inside = loop.compare le %o, %size : index
    loop.if %inside {
      loop.store %r, %y[%o] : vector<4xf32> to !loop.buffer<[N, 4] x f32>
      loop.yield
    } else {
      loop.yield
    }
  }
}"""
    for flag in (False, True):
        x = np.arange(1, 12, dtype=np.float32)
        flags = np.array([flag, True, False, True])
        agree(source, [x, flags, np.zeros((11, 4), np.float32)], {"N": 11})


def test_threads_within_threads(agree):
    source = """
loop.kernel @k<N: 1>(%x: !loop.buffer<[N] x f32>) -> (%y: !loop.buffer<[N, N] x f32>) {
  %n = loop.index N
  loop.parallel %i to %n {
    %v = loop.load %x[%i] : !loop.buffer<[N] x f32> to f32
    loop.parallel %j to %n {
      %w = loop.load %x[%j] : !loop.buffer<[N] x f32> to f32
      %p = arith.mulf %v, %w : f32
      %o = loop.index (N) * %i + %j
      loop.store %p, %y[%o] : f32 to !loop.buffer<[N, N] x f32>
    }
  }
}"""
    x = np.arange(7, dtype=np.float32)
    _, y = agree(source, [x, np.zeros((7, 7), np.float32)], {"N": 7})
    assert np.array_equal(y, np.outer(x, x))


def test_threads_have_stacks_of_their_own(agree):
    source = """
loop.kernel @k() -> (%y: !loop.buffer<[9] x i64>) {
  %zero = loop.index 0
  %n = loop.index 9
  %shared = loop.stack : !loop.buffer<[1] x i64>
  %seven = arith.constant 7 : i64
  loop.store %seven, %shared[%zero] : i64 to !loop.buffer<[1] x i64>
  loop.parallel %i to %n {
    %own = loop.stack : !loop.buffer<[1] x i64>
    %v = loop.cast index %i : index to i64
    loop.store %v, %own[%zero] : i64 to !loop.buffer<[1] x i64>
    %a = loop.load %own[%zero] : !loop.buffer<[1] x i64> to i64
    %b = loop.load %shared[%zero] : !loop.buffer<[1] x i64> to i64
    %c = arith.addi %a, %b : i64
    loop.store %c, %y[%i] : i64 to !loop.buffer<[9] x i64>
  }
}"""
    (y,) = agree(source, [np.zeros(9, np.int64)])
    assert list(y) == list(range(7, 16))


def test_threads_launch_functions(agree):
    """Which bind sizes that are known outside only, and have threads of their own."""
    source = """
loop.func @run<N: 1>(%x: !loop.buffer<[N, 4] x f32>) -> (%y: !loop.buffer<[N, 4] x f32>) {
  %n = loop.index N
  loop.parallel %i to %n {
    %a = loop.view %x[(4) * %i] : !loop.buffer<[N, 4] x f32> to !loop.buffer<[4] x f32>
    %b = loop.view %y[(4) * %i] : !loop.buffer<[N, 4] x f32> to !loop.buffer<[4] x f32>
    loop.launch @scale <K = N + 1> (%a, %i, %b)
      : !loop.buffer<[4] x f32>, index, !loop.buffer<[4] x f32>
  }
}
loop.func @scale<K: 1>(%x: !loop.buffer<[4] x f32>, %i: index)
    -> (%y: !loop.buffer<[4] x f32>) {
  %n = loop.index 4
  %k = loop.index (K) * %i
  %integer = loop.cast index %k : index to i32
  %factor = loop.cast sitofp %integer : i32 to f32
  loop.parallel %j to %n {
    %v = loop.load %x[%j] : !loop.buffer<[4] x f32> to f32
    %w = arith.mulf %v, %factor : f32
    loop.store %w, %y[%j] : f32 to !loop.buffer<[4] x f32>
  }
}"""
    x = np.arange(20, dtype=np.float32).reshape(5, 4)
    _, y = agree(source, [x, np.zeros_like(x)], {"N": 5})
    assert np.array_equal(y, x * np.arange(0, 30, 6)[:, None])


@pytest.mark.parametrize("count", [0, 1])
def test_a_parallel_loop_may_be_empty(agree, count):
    source = """
loop.kernel @k<N: 0>() -> (%y: !loop.buffer<[N] x f32>) {
  %n = loop.index N
  %one = arith.constant 1.0 : f32
  loop.parallel %i to %n {
    loop.store %one, %y[%i] : f32 to !loop.buffer<[N] x f32>
  }
}"""
    (y,) = agree(source, [np.zeros(count, np.float32)], {"N": count})
    assert y.sum() == count
