// RUN: stepwell-opt %s -p "choose-plans{machine=sapphirerapids}" | filecheck %s --check-prefixes=CHECK,INTEL
// RUN: stepwell-opt %s -p "choose-plans{machine=znver4}" | filecheck %s --check-prefixes=CHECK,ZEN

// Few rows read a matrix that no second cache holds. One core has to be asked for what comes, in 32 rows of
// memory side by side. The other one reads on by itself along as many rows as lines with one place stay in
// its first cache.

// From memory, eight rows are read side by side, and the next eight are asked for.
loop.kernel @memory(%x: !loop.buffer<[1, 4096] x f32>, %w: !loop.buffer<[4096, 4096] x f32>) -> (%y: !loop.buffer<[1, 4096] x f32>) {
  loop.nest [%m : 1, %n : 4096] {
    %s = loop.fold fma <serial, 1024> [%k : 4096] {
      %u = loop.read %x[%m, %k] : f32
      %v = loop.read %w[%k, %n] : f32
      loop.yield %u, %v : f32, f32
    } : f32
    loop.write %s, %y[%m, %n] : f32
  }
}
// CHECK-LABEL: loop.kernel @memory
// INTEL-SAME:  kc = 32, pack = [], ahead = 4,
// ZEN-SAME:    kc = 8, pack = [], ahead = 8,

// The third cache holds it all: no line is asked for, and six rows leave room for sums and numbers.
loop.kernel @third(%x: !loop.buffer<[1, 768] x f32>, %w: !loop.buffer<[768, 3072] x f32>) -> (%y: !loop.buffer<[1, 3072] x f32>) {
  loop.nest [%m : 1, %n : 3072] {
    %s = loop.fold fma <serial, 1024> [%k : 768] {
      %u = loop.read %x[%m, %k] : f32
      %v = loop.read %w[%k, %n] : f32
      loop.yield %u, %v : f32, f32
    } : f32
    loop.write %s, %y[%m, %n] : f32
  }
}
// CHECK-LABEL: loop.kernel @third
// INTEL-SAME:  kc = 32, pack = [], ahead = 4,
// ZEN-SAME:    kc = 6, pack = [], ahead = 0,

// Of chunks a block is a whole part: four rows.
loop.kernel @chunks(%x: !loop.buffer<[1, 2048] x f32>, %w: !loop.buffer<[2048, 1536] x f32>) -> (%y: !loop.buffer<[1, 1536] x f32>) {
  loop.nest [%m : 1, %n : 1536] {
    %s = loop.fold fma <serial, 1024> [%k : 2048] {
      %u = loop.read %x[%m, %k] : f32
      %v = loop.read %w[%k, %n] : f32
      loop.yield %u, %v : f32, f32
    } : f32
    loop.write %s, %y[%m, %n] : f32
  }
}
// CHECK-LABEL: loop.kernel @chunks
// ZEN-SAME:    kc = 4, pack = [], ahead = 0,

// With more to multiply, sums go to memory and back half as often.
loop.kernel @several(%x: !loop.buffer<[16, 4096] x f32>, %w: !loop.buffer<[4096, 4096] x f32>) -> (%y: !loop.buffer<[16, 4096] x f32>) {
  loop.nest [%m : 16, %n : 4096] {
    %s = loop.fold fma <serial, 1024> [%k : 4096] {
      %u = loop.read %x[%m, %k] : f32
      %v = loop.read %w[%k, %n] : f32
      loop.yield %u, %v : f32, f32
    } : f32
    loop.write %s, %y[%m, %n] : f32
  }
}
// CHECK-LABEL: loop.kernel @several
// INTEL-SAME:  kc = 32, pack = [],
// ZEN-SAME:    kc = 16, pack = [], ahead = 16,

// While several rows are multiplied the third cache has time enough: tiles go down all rows, each of which
// is asked for in time, as long before as memory may take. A tile is high, since vectors take longer to load than numbers: the matrix is read once.
loop.kernel @down(%x: !loop.buffer<[8, 768] x f32>, %w: !loop.buffer<[768, 3072] x f32>) -> (%y: !loop.buffer<[8, 3072] x f32>) {
  loop.nest [%m : 8, %n : 3072] {
    %s = loop.fold fma <serial, 1024> [%k : 768] {
      %u = loop.read %x[%m, %k] : f32
      %v = loop.read %w[%k, %n] : f32
      loop.yield %u, %v : f32, f32
    } : f32
    loop.write %s, %y[%m, %n] : f32
  }
}
// CHECK-LABEL: loop.kernel @down
// CHECK-SAME:  mr = 8, nv = 3,
// INTEL-SAME:  kc = 32, pack = [], ahead = 8,
// ZEN-SAME:    kc = 0, pack = [], ahead = 32,

// With many rows it is the same, where the other one copies: what has been asked for is there in time.
loop.kernel @many(%x: !loop.buffer<[128, 768] x f32>, %w: !loop.buffer<[768, 3072] x f32>) -> (%y: !loop.buffer<[128, 3072] x f32>) {
  loop.nest [%m : 128, %n : 3072] {
    %s = loop.fold fma <serial, 1024> [%k : 768] {
      %u = loop.read %x[%m, %k] : f32
      %v = loop.read %w[%k, %n] : f32
      loop.yield %u, %v : f32, f32
    } : f32
    loop.write %s, %y[%m, %n] : f32
  }
}
// CHECK-LABEL: loop.kernel @many
// INTEL-SAME:  pack = [right],
// ZEN-SAME:    kc = 0, pack = [], ahead = 32,

// A second cache has too few places for all rows of a panel, so that each tile waits for some: when
// there are very many tiles, both copy.
loop.kernel @very_many(%x: !loop.buffer<[384, 768] x f32>, %w: !loop.buffer<[768, 3072] x f32>) -> (%y: !loop.buffer<[384, 3072] x f32>) {
  loop.nest [%m : 384, %n : 3072] {
    %s = loop.fold fma <serial, 1024> [%k : 768] {
      %u = loop.read %x[%m, %k] : f32
      %v = loop.read %w[%k, %n] : f32
      loop.yield %u, %v : f32, f32
    } : f32
    loop.write %s, %y[%m, %n] : f32
  }
}
// CHECK-LABEL: loop.kernel @very_many
// CHECK-SAME:  pack = [right],

// A matrix that the second cache holds is copied for still more rows. Each panel reads the left operand
// again, so that panels are wide, and a task has all rows: panels are asked for but once.
loop.kernel @held(%x: !loop.buffer<[512, 512] x f32>, %w: !loop.buffer<[512, 512] x f32>) -> (%y: !loop.buffer<[512, 512] x f32>) {
  loop.nest [%m : 512, %n : 512] {
    %s = loop.fold fma <serial, 1024> [%k : 512] {
      %u = loop.read %x[%m, %k] : f32
      %v = loop.read %w[%k, %n] : f32
      loop.yield %u, %v : f32, f32
    } : f32
    loop.write %s, %y[%m, %n] : f32
  }
}
// CHECK-LABEL: loop.kernel @held
// CHECK-SAME:  mr = 6, nv = 4, mc = 512,
// INTEL-SAME:  pack = [right],
// ZEN-SAME:    pack = [], ahead = 32, share = 0, below = []>

// Many rows come from afar for each panel again: a tile asks for those of the one below it. The second cache
// does not hold the results, either: their lines are asked for, too.
loop.kernel @again(%x: !loop.buffer<[1024, 768] x f32>, %w: !loop.buffer<[768, 768] x f32>) -> (%y: !loop.buffer<[1024, 768] x f32>) {
  loop.nest [%m : 1024, %n : 768] {
    %s = loop.fold fma <serial, 1024> [%k : 768] {
      %u = loop.read %x[%m, %k] : f32
      %v = loop.read %w[%k, %n] : f32
      loop.yield %u, %v : f32, f32
    } : f32
    loop.write %s, %y[%m, %n] : f32
  }
}
// CHECK-LABEL: loop.kernel @again
// INTEL-SAME:  below = []>
// ZEN-SAME:    below = [left, ends]>

// Rows are not if they are parts of longer ones, of which others would come, too.
loop.kernel @parts(%x: !loop.buffer<[1024, 800] x f32>, %w: !loop.buffer<[768, 768] x f32>) -> (%y: !loop.buffer<[1024, 768] x f32>) {
  loop.nest [%m : 1024, %n : 768] {
    %s = loop.fold fma <serial, 1024> [%k : 768] {
      %u = loop.read %x[%m, %k] : f32
      %v = loop.read %w[%k, %n] : f32
      loop.yield %u, %v : f32, f32
    } : f32
    loop.write %s, %y[%m, %n] : f32
  }
}
// CHECK-LABEL: loop.kernel @parts
// INTEL-SAME:  below = []>
// ZEN-SAME:    below = [ends]>

// What is added to the sums counts, too: 768 KiB of each. Results alone would stay.
loop.kernel @added(%x: !loop.buffer<[256, 256] x f32>, %w: !loop.buffer<[256, 768] x f32>, %r: !loop.buffer<[256, 768] x f32>) -> (%y: !loop.buffer<[256, 768] x f32>) {
  loop.nest [%m : 256, %n : 768] {
    %s = loop.fold fma <serial, 1024> [%k : 256] {
      %u = loop.read %x[%m, %k] : f32
      %v = loop.read %w[%k, %n] : f32
      loop.yield %u, %v : f32, f32
    } : f32
    %a = loop.read %r[%m, %n] : f32
    %t = arith.addf %s, %a : f32
    loop.write %t, %y[%m, %n] : f32
  }
}
// CHECK-LABEL: loop.kernel @added
// INTEL-SAME:  below = []>
// ZEN-SAME:    below = [ends]>

// One row of numbers for all rows stays.
loop.kernel @stay(%x: !loop.buffer<[256, 256] x f32>, %w: !loop.buffer<[256, 768] x f32>, %b: !loop.buffer<[768] x f32>) -> (%y: !loop.buffer<[256, 768] x f32>) {
  loop.nest [%m : 256, %n : 768] {
    %s = loop.fold fma <serial, 1024> [%k : 256] {
      %u = loop.read %x[%m, %k] : f32
      %v = loop.read %w[%k, %n] : f32
      loop.yield %u, %v : f32, f32
    } : f32
    %a = loop.read %b[%n] : f32
    %t = arith.addf %s, %a : f32
    loop.write %t, %y[%m, %n] : f32
  }
}
// CHECK-LABEL: loop.kernel @stay
// CHECK-SAME:  below = []>

// In blocks of the sum most of what is asked for would be gone before the last one.
loop.kernel @blocks(%x: !loop.buffer<[1024, 8192] x f32>, %w: !loop.buffer<[8192, 768] x f32>) -> (%y: !loop.buffer<[1024, 768] x f32>) {
  loop.nest [%m : 1024, %n : 768] {
    %s = loop.fold fma <serial, 1024> [%k : 8192] {
      %u = loop.read %x[%m, %k] : f32
      %v = loop.read %w[%k, %n] : f32
      loop.yield %u, %v : f32, f32
    } : f32
    loop.write %s, %y[%m, %n] : f32
  }
}
// CHECK-LABEL: loop.kernel @blocks
// ZEN-SAME:    kc = 1024,
// ZEN-SAME:    below = []>

// Nor is anything below a tile that has all rows.
loop.kernel @last(%x: !loop.buffer<[8, 768] x f32>, %w: !loop.buffer<[768, 65536] x f32>) -> (%y: !loop.buffer<[8, 65536] x f32>) {
  loop.nest [%m : 8, %n : 65536] {
    %s = loop.fold fma <serial, 1024> [%k : 768] {
      %u = loop.read %x[%m, %k] : f32
      %v = loop.read %w[%k, %n] : f32
      loop.yield %u, %v : f32, f32
    } : f32
    loop.write %s, %y[%m, %n] : f32
  }
}
// CHECK-LABEL: loop.kernel @last
// CHECK-SAME:  mr = 8,
// CHECK-SAME:  below = []>

// Two rows take less time than the third cache: it is asked for nothing.
loop.kernel @two(%x: !loop.buffer<[2, 768] x f32>, %w: !loop.buffer<[768, 3072] x f32>) -> (%y: !loop.buffer<[2, 3072] x f32>) {
  loop.nest [%m : 2, %n : 3072] {
    %s = loop.fold fma <serial, 1024> [%k : 768] {
      %u = loop.read %x[%m, %k] : f32
      %v = loop.read %w[%k, %n] : f32
      loop.yield %u, %v : f32, f32
    } : f32
    loop.write %s, %y[%m, %n] : f32
  }
}
// CHECK-LABEL: loop.kernel @two
// ZEN-SAME:    kc = 0, pack = [], ahead = 0,

// A deep panel stays in the second cache until the next tile, which then goes down all of it.
loop.kernel @deep(%x: !loop.buffer<[64, 1536] x f32>, %w: !loop.buffer<[1536, 768] x f32>) -> (%y: !loop.buffer<[64, 768] x f32>) {
  loop.nest [%m : 64, %n : 768] {
    %s = loop.fold fma <serial> [%k : 1536] {
      %u = loop.read %x[%m, %k] : f32
      %v = loop.read %w[%k, %n] : f32
      loop.yield %u, %v : f32, f32
    } : f32
    loop.write %s, %y[%m, %n] : f32
  }
}
// CHECK-LABEL: loop.kernel @deep
// ZEN-SAME:    kc = 0, pack = [],

// One row by panels reads what lies in a row.
loop.kernel @panels(%x: !loop.buffer<[1, 768] x f32>, %w: !loop.buffer<[96, 768, 32] x f32>) -> (%y: !loop.buffer<[1, 96, 32] x f32>) {
  loop.nest [%m : 1, %p : 96, %n : 32] {
    %s = loop.fold fma <serial, 1024> [%k : 768] {
      %u = loop.read %x[%m, %k] : f32
      %v = loop.read %w[%p, %k, %n] : f32
      loop.yield %u, %v : f32, f32
    } : f32
    loop.write %s, %y[%m, %p, %n] : f32
  }
}
// CHECK-LABEL: loop.kernel @panels
// INTEL-SAME:  kc = 0, pack = [], ahead = 12,
// ZEN-SAME:    kc = 0, pack = [], ahead = 0,

// Several rows are slower than memory: it is asked by both, by one of them as long before as memory may take.
loop.kernel @both(%x: !loop.buffer<[8, 768] x f32>, %w: !loop.buffer<[96, 768, 32] x f32>) -> (%y: !loop.buffer<[8, 96, 32] x f32>) {
  loop.nest [%m : 8, %p : 96, %n : 32] {
    %s = loop.fold fma <serial, 1024> [%k : 768] {
      %u = loop.read %x[%m, %k] : f32
      %v = loop.read %w[%p, %k, %n] : f32
      loop.yield %u, %v : f32, f32
    } : f32
    loop.write %s, %y[%m, %p, %n] : f32
  }
}
// CHECK-LABEL: loop.kernel @both
// INTEL-SAME:  kc = 0, pack = [], ahead = 12,
// ZEN-SAME:    kc = 0, pack = [], ahead = 48,

// What lies along a sum is turned into panels. A core that reads on is kept from waiting for the next one, of
// which each of eight tiles asks for a part.
loop.kernel @turned(%x: !loop.buffer<[64, 768] x f32>, %w: !loop.buffer<[3072, 768] x f32>) -> (%y: !loop.buffer<[64, 3072] x f32>) {
  loop.nest [%m : 64, %n : 3072] {
    %s = loop.fold fma <serial, 1024> [%k : 768] {
      %u = loop.read %x[%m, %k] : f32
      %v = loop.read %w[%n, %k] : f32
      loop.yield %u, %v : f32, f32
    } : f32
    loop.write %s, %y[%m, %n] : f32
  }
}
// CHECK-LABEL: loop.kernel @turned
// INTEL-SAME:  pack = [right], ahead = {{\d+}}, share = 0,
// ZEN-SAME:    mr = 8, {{.*}} pack = [right], ahead = 8, share = 8,

// The second cache has it all.
loop.kernel @turned_near(%x: !loop.buffer<[64, 512] x f32>, %w: !loop.buffer<[512, 512] x f32>) -> (%y: !loop.buffer<[64, 512] x f32>) {
  loop.nest [%m : 64, %n : 512] {
    %s = loop.fold fma <serial, 1024> [%k : 512] {
      %u = loop.read %x[%m, %k] : f32
      %v = loop.read %w[%n, %k] : f32
      loop.yield %u, %v : f32, f32
    } : f32
    loop.write %s, %y[%m, %n] : f32
  }
}
// CHECK-LABEL: loop.kernel @turned_near
// CHECK-SAME:  pack = [right], ahead = {{\d+}}, share = 0,

// Most of so many tiles have the panel at hand.
loop.kernel @turned_many(%x: !loop.buffer<[1024, 768] x f32>, %w: !loop.buffer<[3072, 768] x f32>) -> (%y: !loop.buffer<[1024, 3072] x f32>) {
  loop.nest [%m : 1024, %n : 3072] {
    %s = loop.fold fma <serial, 1024> [%k : 768] {
      %u = loop.read %x[%m, %k] : f32
      %v = loop.read %w[%n, %k] : f32
      loop.yield %u, %v : f32, f32
    } : f32
    loop.write %s, %y[%m, %n] : f32
  }
}
// CHECK-LABEL: loop.kernel @turned_many
// CHECK-SAME:  pack = [right], ahead = {{\d+}}, share = 0,

// One tile reads squares.
loop.kernel @turned_few(%x: !loop.buffer<[16, 768] x f32>, %w: !loop.buffer<[3072, 768] x f32>) -> (%y: !loop.buffer<[16, 3072] x f32>) {
  loop.nest [%m : 16, %n : 3072] {
    %s = loop.fold fma <serial, 1024> [%k : 768] {
      %u = loop.read %x[%m, %k] : f32
      %v = loop.read %w[%n, %k] : f32
      loop.yield %u, %v : f32, f32
    } : f32
    loop.write %s, %y[%m, %n] : f32
  }
}
// CHECK-LABEL: loop.kernel @turned_few
// CHECK-SAME:  pack = [], ahead = 0, share = 0,

// Where it is not known how far apart rows of the left operand lie, each takes a register for its address:
// a tile has fewer of them, for a Xeon six rather than thirteen.
loop.kernel @distances_unknown<K: 0>(%x: !loop.buffer<[64, K] x f32>, %w: !loop.buffer<[K, 256] x f32>) -> (%y: !loop.buffer<[64, 256] x f32>) {
  loop.nest [%m : 64, %n : 256] {
    %s = loop.fold fma <serial, 1024> [%k : K] {
      %u = loop.read %x[%m, %k] : f32
      %v = loop.read %w[%k, %n] : f32
      loop.yield %u, %v : f32, f32
    } : f32
    loop.write %s, %y[%m, %n] : f32
  }
}
// CHECK-LABEL: loop.kernel @distances_unknown
// CHECK-SAME:  <gemm, bytes = 64, mr = 6,
