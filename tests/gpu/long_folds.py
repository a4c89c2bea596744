"""Kernels of long folds, as text."""

import re


def total(kind: str, order: str, element: str = "f32") -> str:
    """All of an array of any length in one number."""
    return f"""
loop.kernel @total<N: 0>(%x: !loop.buffer<[N] x {element}>) -> (%y: !loop.buffer<[] x {element}>) {{
  loop.nest [] {{
    %s = loop.fold {kind} <{order}> [%k : N] {{
      %v = loop.read %x[%k] : {element}
      loop.yield %v : {element}
    }} : {element}
    loop.write %s, %y[] : {element}
  }}
}}"""


def fixed(text: str, **sizes: int) -> str:
    """The kernel for these sizes alone."""
    text = re.sub(r"<[A-Z]: [^>]*>\(", "(", text)
    for name, size in sizes.items():
        text = re.sub(rf"\b{name}\b", str(size), text)
    return text


PRODUCT = """
loop.kernel @product<M: 0, K: 0>(%x: !loop.buffer<[M, K] x f32>, %w: !loop.buffer<[K] x f32>)
    -> (%y: !loop.buffer<[M] x f32>) {
  loop.nest [%i : M] {
    %s = loop.fold fma <lanes, 64> [%k : K] {
      %a = loop.read %x[%i, %k] : f32
      %b = loop.read %w[%k] : f32
      loop.yield %a, %b : f32, f32
    } : f32
    %half = arith.constant 0.5 : f32
    %h = arith.mulf %s, %half : f32
    loop.write %h, %y[%i] : f32
  }
}"""
COLUMNS = """
loop.kernel @columns<M: 0, N: 0>(%x: !loop.buffer<[M, N] x f32>) -> (%y: !loop.buffer<[N] x f32>) {
  loop.nest [%j : N] {
    %s = loop.fold add <serial, 16> [%k : M] {
      %v = loop.read %x[%k, %j] : f32
      loop.yield %v : f32
    } : f32
    loop.write %s, %y[%j] : f32
  }
}"""
GREATEST = """
loop.kernel @greatest<M: 0>(%x: !loop.buffer<[M, 100] x f32>) -> (%y: !loop.buffer<[] x i64>) {
  loop.nest [] {
    %v, %p = loop.fold argmax <any> [%i : M, %j : 100] {
      %a = loop.read %x[%i, %j] : f32
      %at = loop.index (100) * %i + %j
      %n = loop.cast index %at : index to i64
      loop.yield %a, %n : f32, i64
    } : f32, i64
    loop.write %p, %y[] : i64
  }
}"""
VARIANCE = """
loop.kernel @variance<B: 0>(%x: !loop.buffer<[B, 1000] x f32>)
    -> (%m: !loop.buffer<[B] x f32>, %y: !loop.buffer<[B] x f32>) {
  loop.nest [%i : B] {
    %s = loop.fold add <lanes, 256> [%k : 1000] {
      %v = loop.read %x[%i, %k] : f32
      loop.yield %v : f32
    } : f32
    %part = arith.constant 0.001 : f32
    %mean = arith.mulf %s, %part : f32
    %t = loop.fold add <lanes, 256> [%k : 1000] {
      %v = loop.read %x[%i, %k] : f32
      %d = arith.subf %v, %mean : f32
      %q = arith.mulf %d, %d : f32
      loop.yield %q : f32
    } : f32
    loop.write %mean, %m[%i] : f32
    loop.write %t, %y[%i] : f32
  }
}"""
SOFTMAX = """
loop.kernel @softmax<B: 1>(%x: !loop.buffer<[B, 9000] x f32>)
    -> (%y: !loop.buffer<[B, 9000] x f32>) {
  %m = loop.local : !loop.buffer<[B] x f32>
  %t = loop.local : !loop.buffer<[B] x f32>
  loop.nest [%i : B] {
    %s = loop.fold max <any> [%k : 9000] {
      %v = loop.read %x[%i, %k] : f32
      loop.yield %v : f32
    } : f32
    loop.write %s, %m[%i] : f32
  }
  loop.nest [%i : B] {
    %most = loop.read %m[%i] : f32
    %s = loop.fold add <lanes, 4096> [%k : 9000] {
      %v = loop.read %x[%i, %k] : f32
      %d = arith.subf %v, %most : f32
      loop.yield %d : f32
    } : f32
    loop.write %s, %t[%i] : f32
  }
  loop.nest [%i : B, %j : 9000] {
    %v = loop.read %x[%i, %j] : f32
    %s = loop.read %t[%i] : f32
    %q = arith.divf %v, %s : f32
    loop.write %q, %y[%i, %j] : f32
  }
}"""
BOTH = """
loop.kernel @both(%x: !loop.buffer<[9, 8200] x f32>)
    -> (%a: !loop.buffer<[9] x f32>, %b: !loop.buffer<[9] x f32>) {
  loop.nest [%i : 9] {
    %s, %t = loop.fold add <lanes, 1024> [%k : 8200] {
      %v = loop.read %x[%i, %k] : f32
      %q = arith.mulf %v, %v : f32
      loop.yield %v, %q : f32, f32
    } : f32, f32
    loop.write %s, %a[%i] : f32
    loop.write %t, %b[%i] : f32
  }
}"""
