"""Which tiles and tasks suit a matrix product: a model of what a core computes, loads and keeps."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import gcd

from stepwell.compiler.lower.costs import ALIKE, busy, evenly
from stepwell.compiler.machines.machine import Machine
from stepwell.compiler.passes.pack_weights import PANEL

LATENCY = 4
"""Cycles until the result of a fused multiply-add can be used."""

ASK, EDGE = 2, 2
"""Cycles in which a tile asks whether it reads padding; and multiply-adds in the time in which one
at an end of a row keeps what a sum was before."""

STREAM = 24
"""Bytes in a cycle from the second cache into the first."""

TURNED = 3
"""Cycles in which a vector is turned and written to a panel, more or less."""

TALLEST, WIDEST = 14, 24
"""Rows and vectors of a tile at most."""

NEAR_REUSED, FAR_REUSED = 40, 4
"""Tiles that use a panel if it is worth a copy: from the second cache, and from beyond."""

NEAR_ROWS, FAR_ROWS = 640, 384
"""Rows, of whatever tiles, for which a core that asks long before for what lies apart copies it."""

COPY = 24
"""Cycles that a copied row takes, which may lie on another page; where it is read by each tile, it
is one for each."""

SELDOM = 16
"""Lines of the left operand, read on in rows, for one of which a core waits a cycle."""

REUSED = 12
"""Tiles that use a panel of a block of the fold."""

LINE = 64
"""Bytes of a line of the caches."""

AHEAD, LONG = 1536, 768
"""Bytes of a panel that are asked for before they are used; and multiply-adds in the time for which
a row that lies apart may be on its way."""

MOST_SHARED = 32
"""Tiles that each ask for a part of the next panel: for more, the parts would be less than a lane
at a position, and the first tile, which waits for what is not there, is but one of many."""

STREAMS, PIECE, RUN = 32, 512, 4096
"""Rows of memory that are read side by side, pieces of so many bytes in turn, if they are asked for
ahead; and how many bytes of each row are worth it."""

TASK = 40_000
"""Multiply-add instructions that a task has at least: some 6 microseconds."""

FAR, NEAR = 16, 4
"""Multiply-adds in the time in which a vector comes from memory, and from the second cache."""

LANE_TASKS, ROW_TASKS = 16, 8
"""So many tasks let two or more threads end together: rather of lanes, whose operand each task
reads from memory but once, than of rows."""


@dataclass(frozen=True)
class Product:
    """`outer` times the product of a matrix of `m * middle` rows with one of `columns` times `n`
    lanes, over `k`.

    A tile spans rows of one `m`, and lanes of one `n` only. Each row keeps `kept` elements of the
    left operand in the cache. A vector holds `width` elements of `size` bytes. Sums are joined from
    chunks of `chunk` products; 0 if they are not. Rows of the left operand are so many elements
    `apart`; 0 if that is not known. A tile asks after so many positions of k whether those that
    come are `inside` of what is padded; 0 if nothing is.
    """

    m: int
    n: int
    columns: int
    k: int
    middle: int
    outer: int
    kept: int
    width: int
    size: int
    chunk: int = 0
    apart: int = 0
    inside: int = 0

    def tile(
        self, tallest: int, turned: bool, distance: int | None, machine: Machine
    ) -> tuple[int, int]:
        """The rows and vectors of the best tile with at most so many rows, if rows of the right
        operand lie so far apart; of one that is `turned`, a panel should stay in the second cache.
        """
        widest = -(-self.n // self.width)
        if turned:
            panel = self.k * self.width * self.size
            widest = max(1, min(widest, machine.l2 // 2 // max(1, panel)))
        elif self.streams(tallest, 1, distance, machine):
            widest = min(widest, PIECE // (self.width * self.size))
        shapes = tiles(min(self.m, tallest), widest, machine.vector_registers)

        return min(shapes, key=lambda shape: self._cost(*shape, distance, machine))

    def square(self, tallest: int) -> int:
        """The rows of a tile, of one vector and at most so many, that turns squares of its right
        operand in registers; 0 if so many tiles need them that they are better turned once for all,
        into panels. A vector of 16 lanes takes four shuffles, each in the place of a multiply-add.
        """
        tiles = -(-self.m // tallest)
        shuffles = self.width.bit_length() - 1
        return -(-self.m // tiles) if self.middle * tiles * shuffles / 2 <= TURNED else 0

    def _cost(self, mr: int, nv: int, distance: int | None, machine: Machine) -> float:
        """Cycles for one position of k: a little more if a few threads, who share the panels, would
        not end together, or if what is read is not in a row. If that is asked for before, what
        counts are the lines of the left operand, which each panel reads again."""
        panels, turns = -(-self.n // (nv * self.width)), -(-self.m // mr)
        if self.packs_right(mr, nv, distance, machine):
            turns = COPY / self.middle
        elif self.is_asked(mr, nv, distance, machine):
            turns = self.m * self.size / LINE / SELDOM
        visits = 0 if self.is_in_a_row(nv, distance) else turns * panels
        shared, panel = panels * self.columns, nv * self.width
        uneven = busy(shared, 1) * panel / self.lanes - 1 if shared > max(ALIKE) else 0
        edges = EDGE / self.inside * mr / self.m if self.inside else 0
        return (self.cycles(mr, nv, machine) + visits) * (1 + uneven / 20 + edges)

    def cycles(self, mr: int, nv: int, machine: Machine) -> float:
        """Cycles for one position of k, over all tiles."""
        vectors = -(-self.n // self.width)
        return sum(
            i * j * self._tile_cycles(height, column, machine)
            for i, height in ((self.m // mr, mr), (1, self.m % mr))
            for j, column in ((vectors // nv, nv), (1, vectors % nv))
            if height and column
        )

    def _tile_cycles(self, mr: int, nv: int, machine: Machine) -> float:
        """Some multiply-adds or two loads in a cycle, and no sum before its last one is there;
        what the first cache does not hold streams into it: a panel, or a line for each row at each
        position; a little more for tiles that load more, so that of as many the best are alike: a
        core that multiplies one vector in a cycle loads two numbers in the time of a vector."""
        panel = nv * self.width * self.size
        streamed = panel if panel * self.k > machine.l1 else 0
        streamed += mr * LINE if self._crowd(mr, machine) > machine.l1_ways else 0
        sums = mr * nv / machine.multiply_adds
        loads = (mr * machine.multiply_adds / 2 + nv) / 2
        cycles = max(sums, LATENCY, loads, streamed / STREAM) * (1 + loads / sums / 20)
        return cycles + (ASK / self.inside if self.inside else 0)

    def _crowd(self, mr: int, machine: Machine) -> int:
        """How many of the lines that so many rows read have one place in the first cache."""
        lines = {row * self.apart * self.size // LINE for row in range(mr)}
        places = machine.l1 // machine.l1_ways // LINE
        return max(Counter(line % places for line in lines).values())

    def packs_right(self, mr: int, nv: int, distance: int | None, machine: Machine) -> bool:
        """Whether to copy the panels of a right operand whose rows lie so many elements apart: if
        enough tiles read them, for then it pays to have them in a row."""
        asked = FAR_ROWS if self.exceeds(machine.l2) else NEAR_ROWS
        least = asked if machine.reads_on else self._reused(mr, machine)
        return not self.is_in_a_row(nv, distance) and self.rows >= least

    def is_asked(self, mr: int, nv: int, distance: int | None, machine: Machine) -> bool:
        """Whether a core brings rows that lie apart into its second cache long before they are
        read, if it does not copy them."""
        apart = machine.reads_on and not self.is_in_a_row(nv, distance)
        return apart and not self.packs_right(mr, nv, distance, machine)

    def is_in_a_row(self, nv: int, distance: int | None) -> bool:
        """Whether rows of the right operand so far apart follow each other, for a tile."""
        return is_in_a_row(distance, nv * self.width, self.size)

    def _reused(self, mr: int, machine: Machine) -> int:
        """Rows that use a panel at least, if it is worth a copy: few if it comes from afar."""
        return (FAR_REUSED if self.exceeds(machine.l2) else NEAR_REUSED) * mr

    def packs_left(self, nv: int, distance: int | None, machine: Machine) -> bool:
        """Whether to copy the panels of a left operand of which one position of the fold lies so
        many elements from the next, a line for each: if they are too many for the first cache."""
        lines = machine.l1 // LINE
        if distance is not None:
            lines //= gcd(distance * self.size // LINE or 1, lines // machine.l1_ways)
        panels = self.columns * -(-self.n // (nv * self.width))
        return panels >= FAR_REUSED and self.k > lines // 2

    def block(self, mr: int, nv: int, settled: bool, apart: bool, machine: Machine) -> int:
        """Positions of the fold in a block, in whole chunks, so that a panel's stay in the first
        cache; 0, which is all, if one tile has all rows, or if all positions stay in the second
        cache: beside little else, where only few tiles use a panel that is not `settled` before, or
        the left operand is read from places far `apart`."""
        panel = nv * self.width * self.size
        many = settled or self.rows > 2 * REUSED * mr
        cached = machine.l2 // 2 if many and not apart else machine.l2 // 8
        if self.rows <= mr or self.k * panel <= cached:
            return 0
        unit = self.chunk or 1
        return -(-machine.l1 // panel // unit) * unit

    def ahead(self, mr: int, nv: int, kc: int, asked: bool, packs: bool, machine: Machine) -> int:
        """How many positions ahead to ask for the right operand: not at all if what a tile reads of
        it stays in the first cache, or was put into the second one and leaves it room. What is
        `asked` for long before is not, if there is little to multiply meanwhile. By a core that
        reads on panels are asked for as long before, if no second cache holds them."""
        position, depth = nv * self.width * self.size, kc if kc and packs else self.k
        stays = depth * position <= (machine.l2 // 8 if packs else machine.l1)
        long = LONG // (mr * nv) if mr >= NEAR else 0
        far = machine.reads_on and not packs and self.exceeds(machine.l2)
        usual = max(LATENCY, AHEAD // position, long if far else 0)
        return 0 if stays else long if asked else usual

    def streams(self, mr: int, nv: int, distance: int | None, machine: Machine) -> bool:
        """Whether a right operand whose rows are long and lie so far apart comes from afar for few
        tiles: then some of its rows at a time are best read to their ends."""
        long = self.lanes * self.size >= RUN and not self.is_in_a_row(nv, distance)
        return long and self.exceeds(machine.l2) and self.rows <= FAR_REUSED * mr

    def exceeds(self, cache: int) -> bool:
        """Whether the right operand is larger than a cache: than the third, it is memory's."""
        return self.k * self.lanes * self.size > cache

    def abreast(self, machine: Machine) -> int:
        """Rows of memory that are read side by side; 0 for all. Where a core reads on by itself,
        they are as many as lines with one place stay in the first cache; twice as many where there
        is more to multiply than to wait for. From the third cache, whose lines come early, they are
        fewer, by two that sums and numbers take, or half as many, which divide a chunk; and all
        where several rows are multiplied meanwhile."""
        if not machine.reads_on:
            return STREAMS
        if self.exceeds(machine.l3):
            return machine.l1_ways * (2 if self.rows > NEAR else 1)
        alone = machine.l1_ways // 2 if self.chunk else machine.l1_ways - 2
        return alone if self.rows == 1 else 0

    def long_task(self, mr: int, nv: int, machine: Machine) -> tuple[int, int]:
        """The rows and lanes of a task with all rows and long runs of lanes, of which there are two
        or a power of two: a few threads end together."""
        tasks = min(LANE_TASKS, self.effort(machine) // TASK, self.lanes * self.size // RUN)
        panel, parts = nv * self.width, 1 << max(1, tasks.bit_length() - 1)
        return self.rows, -(-self.lanes // (parts * panel)) * panel

    def wide_task(self, mr: int, nv: int, machine: Machine) -> tuple[int, int]:
        """The rows and lanes of a task with all rows."""
        tasks, panel = max(1, min(LANE_TASKS, self.effort(machine) // TASK)), nv * self.width
        return self._rows(mr, self.rows), evenly(-(-self.lanes // panel), tasks) * panel

    def short_task(self, mr: int) -> tuple[int, int]:
        """The rows and lanes of a task with all lanes, and with no more tiles of rows than make it
        long enough: what it reads and writes are few pages, which it is done with."""
        tile = mr * self.k * self.columns * -(-self.n // self.width)
        return self._rows(mr, -(-TASK // tile) * mr), self.lanes

    def task(
        self, mr: int, nv: int, kc: int, packs: bool, machine: Machine, asked: bool = False
    ) -> tuple[int, int]:
        """The rows and lanes of a task, in whole tiles or whole `m`, and tasks enough: as many rows
        as stay, for a block of `kc` positions, in the second cache; if each task packs its panels,
        or asks long before for them, rather in the third. Of a product in blocks, tasks have many
        rows: each reads all lanes from afar."""
        panel = nv * self.width
        cache = machine.l3 if packs or asked else machine.l2 // 2
        cached = max(mr, cache // (max(1, min(self.kept, kc or self.k)) * self.size))
        most = max(1, self.effort(machine) // TASK)
        lane_tasks, row_tasks = min(LANE_TASKS, most), min(ROW_TASKS, most)
        panels = -(-self.lanes // panel)
        if kc:
            unit = min(self.m, REUSED * mr)
            row_tasks = min(row_tasks, -(-self.rows // (-(-REUSED * mr // unit) * unit)))
        elif packs:
            row_tasks = min(row_tasks, max(1, self.rows // self._reused(mr, machine)))
        lane_blocks = max(1, min(panels, -(-lane_tasks // self.outer)))
        row_blocks = -(-row_tasks // (lane_blocks * self.outer))
        mc = self._rows(mr, max(mr, min(cached, -(-self.rows // row_blocks))))
        tasks = -(-self.rows // mc) * self.outer
        lane_blocks = min(lane_blocks, -(-lane_tasks // tasks))
        return mc, evenly(panels, lane_blocks) * panel

    @property
    def rows(self) -> int:
        return self.m * self.middle

    @property
    def lanes(self) -> int:
        return self.columns * self.n

    def effort(self, machine: Machine) -> int:
        """Multiply-adds in the time that the product takes, which may be that of loading its right
        operand."""
        each = FAR if self.exceeds(machine.l2) else NEAR if self.exceeds(machine.l1) else 1
        return max(self.work, self.outer * self.k * self.lanes // self.width * each)

    @property
    def work(self) -> int:
        """Multiply-add instructions."""
        return self.rows * self.outer * self.columns * self.k * -(-self.n // self.width)

    def _rows(self, mr: int, most: int) -> int:
        if self.m > most:
            blocks = -(-self.m // most)
            return -(-self.m // blocks // mr) * mr
        blocks = -(-self.middle // max(1, most // max(1, self.m)))
        return max(1, self.m) * -(-self.middle // blocks)


def is_in_a_row(distance: int | None, lanes: int, size: int) -> bool:
    """Whether rows so many elements apart follow each other: in tiles of so many lanes, or in wider
    panels."""
    return distance is not None and distance * size <= max(PANEL, lanes * size)


def tiles(tallest: int, widest: int, registers: int) -> Iterator[tuple[int, int]]:
    """The shapes for which the registers suffice: for the sums, a row of vectors, a scalar. A tile
    of one row uses each vector once, straight from memory."""
    for mr in range(1, max(1, min(tallest, TALLEST)) + 1):
        for nv in range(1, max(1, min(widest, WIDEST)) + 1):
            if mr * nv + (nv if mr > 1 else 1) + 1 <= registers:
                yield mr, nv
