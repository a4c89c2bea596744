"""The table of instructions that the emulator knows, written as in the PTX manual."""

import numpy as np

from emulator import (
    bits,
    comparisons,
    control,
    conversions,
    floats,
    integers,
    matrices,
    transfers,
    warps,
)
from emulator.integers import always
from emulator.rows import Table, controls, effect, lanes, meeting

UNSIGNED, SIGNED = "u16 u32 u64", "s16 s32 s64"
INTEGERS = f"{UNSIGNED} {SIGNED}"
BITS = "b16 b32 b64"
PAIRS = "u16x2 s16x2"
SHORT = "f16 bf16 f16x2 bf16x2"
BYTES_TOO = f"u8 s8 {INTEGERS}"
ANYTHING = f"b8 {BITS} {BYTES_TOO} f16 f32 f64"
ROUNDED, WHOLE = "rn rz rm rp", "rni rzi rmi rpi"
CHOSEN = f"{BITS} {INTEGERS} f32 f64"
WINDOWED = "global shared shared::cta local const param param::entry"
SPACES = "global shared shared::cta local const param param::entry param::func"
SCOPES = "cta cluster gpu sys"
ORDERS = "weak volatile relaxed acquire release mmio"
CACHES = "ca cg cs lu cv wb wt"
KEPT = "evict_normal evict_unchanged evict_first evict_last no_allocate"
HINTS = [f"{level}::{each}" for level in ("L1", "L2") for each in KEPT.split()]
PREFETCHED = "L2::64B L2::128B L2::256B"
COMBINED = "and or xor"
UNARY, BINARY = "type = type", "type = type, type"
TERNARY = "type = type, type, type"

INTEGER_ROWS = (
    lanes("add.type", BINARY, always(np.add), type=f"{UNSIGNED} s16 s64 {PAIRS}"),
    lanes("add{.sat}.s32", "s32 = s32, s32", integers.saturating(np.add)),
    lanes("sub.type", BINARY, always(np.subtract), type=f"{UNSIGNED} s16 s64"),
    lanes("sub{.sat}.s32", "s32 = s32, s32", integers.saturating(np.subtract)),
    lanes("mul.lo.type", BINARY, always(np.multiply), type=INTEGERS),
    lanes("mul.hi.type", BINARY, integers.high_product, type=INTEGERS),
    lanes("mul.wide.type", "type*2 = type, type", integers.wide_product, type="u16 u32 s16 s32"),
    lanes("mad.lo.type", TERNARY, integers.low_sum, type=INTEGERS),
    lanes("mad.hi.type", TERNARY, integers.high_sum, type=INTEGERS),
    lanes("mad.wide.type", "type*2 = type, type, type*2", integers.wide_sum, type="u32 s32"),
    lanes("div.type", BINARY, always(integers.quotient), type=INTEGERS),
    lanes("rem.type", BINARY, always(integers.remainder), type=INTEGERS),
    lanes("abs.type", UNARY, always(np.abs), type=SIGNED),
    lanes("neg.type", UNARY, always(np.negative), type=SIGNED),
    lanes("min.type", BINARY, always(np.minimum), type=f"{INTEGERS} {PAIRS}"),
    lanes("max.type", BINARY, always(np.maximum), type=f"{INTEGERS} {PAIRS}"),
    lanes("min.relu.type", BINARY, integers.positive(np.minimum), type="s32 s16x2"),
    lanes("max.relu.type", BINARY, integers.positive(np.maximum), type="s32 s16x2"),
    lanes("sad.type", TERNARY, always(integers.difference_added), type=INTEGERS),
    lanes("dp4a.left.right", "b32 = b32, b32, b32", bits.dot, left="u32 s32", right="u32 s32"),
)

BIT_ROWS = (
    lanes("and.type", BINARY, always(np.bitwise_and), type=f"pred {BITS}"),
    lanes("or.type", BINARY, always(np.bitwise_or), type=f"pred {BITS}"),
    lanes("xor.type", BINARY, always(np.bitwise_xor), type=f"pred {BITS}"),
    lanes("not.type", UNARY, always(np.invert), type=f"pred {BITS}"),
    lanes("cnot.type", UNARY, always(bits.logical_not), type=BITS),
    lanes("shl.type", "type = type, u32", bits.shifted(np.left_shift), type=BITS),
    lanes("shr.type", "type = type, u32", bits.shifted(np.right_shift), type=f"{BITS} {INTEGERS}"),
    lanes("shf.way.mode.b32", "b32 = b32, b32, u32", bits.funnel, way="l r", mode="wrap clamp"),
    lanes("popc.type", "u32 = type", always(bits.ones), type="b32 b64"),
    lanes("clz.type", "u32 = type", always(bits.leading_zeros), type="b32 b64"),
    lanes("bfind{.shiftamt}.type", "u32 = type", bits.first_bit, type="u32 u64 s32 s64"),
    lanes("brev.type", UNARY, always(bits.mirrored), type="b32 b64"),
    lanes("bfe.type", "type = type, u32, u32", bits.extracted, type="u32 u64 s32 s64"),
    lanes("bfi.type", "type = type, type, u32, u32", always(bits.inserted), type="b32 b64"),
    lanes("prmt.b32", "b32 = b32, b32, b32", always(bits.permuted)),
    lanes("lop3.b32", "b32 = b32, b32, b32, u32!", always(bits.looked_up)),
)

HALVES, BRAINS = "f16 f16x2", "bf16 bf16x2"
ARITHMETIC = (("add", floats.added(1)), ("sub", floats.added(-1)), ("mul", floats.multiplied))
EXTREMES = (("min", floats.chosen(less=True)), ("max", floats.chosen(less=False)))
SIGNS = (("neg", floats.negated), ("abs", floats.magnitude))
ROUNDED_ROWS = (
    *(
        row
        for name, meaning in ARITHMETIC
        for row in (
            lanes(f"{name}{{.rnd}}{{.ftz}}{{.sat}}.type", BINARY, meaning, rnd=ROUNDED, type="f32"),
            lanes(f"{name}{{.rn}}{{.ftz}}{{.sat}}.type", BINARY, meaning, type=HALVES),
            lanes(f"{name}{{.rn}}.type", BINARY, meaning, type=f"f64 {BRAINS}"),
        )
    ),
    lanes("fma.rnd{.ftz}{.sat}.type", TERNARY, floats.fused_sum, rnd=ROUNDED, type="f32"),
    lanes("fma.rn{.ftz}{.sat}.type", TERNARY, floats.fused_sum, type=HALVES),
    lanes("fma.rn{.ftz}.relu.type", TERNARY, floats.fused_sum, type=HALVES),
    lanes("fma.rn{.relu}.type", TERNARY, floats.fused_sum, type=BRAINS),
    lanes("fma.rn.type", TERNARY, floats.fused_sum, type="f64"),
    lanes("div.rn{.ftz}.type", BINARY, floats.rounded(np.divide), type="f32"),
    lanes("div.rn.type", BINARY, floats.rounded(np.divide), type="f64"),
    lanes("rcp.rn{.ftz}.type", UNARY, floats.rounded(np.reciprocal), type="f32"),
    lanes("rcp.rn.type", UNARY, floats.rounded(np.reciprocal), type="f64"),
    lanes("sqrt.rn{.ftz}.type", UNARY, floats.rounded(np.sqrt), type="f32"),
    lanes("sqrt.rn.type", UNARY, floats.rounded(np.sqrt), type="f64"),
)
FLOAT_ROWS = (
    *(
        row
        for name, meaning in SIGNS
        for row in (
            lanes(f"{name}{{.ftz}}.type", UNARY, meaning, type=f"f32 {HALVES}"),
            lanes(f"{name}.type", UNARY, meaning, type=f"f64 {BRAINS}"),
        )
    ),
    *(
        row
        for name, meaning in EXTREMES
        for row in (
            lanes(f"{name}{{.ftz}}{{.NaN}}.type", BINARY, meaning, type=f"f32 {HALVES}"),
            lanes(f"{name}{{.NaN}}.type", BINARY, meaning, type=BRAINS),
            lanes(f"{name}.type", BINARY, meaning, type="f64"),
        )
    ),
    lanes("copysign.type", BINARY, floats.with_sign, type="f32 f64"),
    lanes(
        "testp.property.type",
        "pred = type",
        floats.classified,
        property=floats.PROPERTIES,
        type="f32 f64",
    ),
)

APPROXIMATE_ROWS = (
    lanes("div.how{.ftz}.type", BINARY, floats.quotient, how="approx full", type="f32"),
    *(
        lanes(f"{name}.approx{{.ftz}}.type", UNARY, floats.approximate(function), type="f32")
        for name, function in floats.APPROXIMATIONS.items()
    ),
    lanes("ex2.approx.type", UNARY, floats.approximate(np.exp2), type=HALVES),
    lanes("ex2.approx.ftz.type", UNARY, floats.approximate(np.exp2), type=BRAINS),
    lanes("tanh.approx.type", UNARY, floats.approximate(np.tanh), type=f"f32 {SHORT}"),
)

TESTS, EQUAL = comparisons.FLOAT_TESTS, "eq ne"
SIGNED_TESTS, UNSIGNED_TESTS = comparisons.ORDERED, comparisons.INTEGER_TESTS
INTEGER_TESTS = ((EQUAL, BITS), (SIGNED_TESTS, SIGNED), (UNSIGNED_TESTS, UNSIGNED))
ONE, TWO = "pred", "pred|pred"
COMPARISON_ROWS = (
    *(
        lanes(form, f"{to} = {given}", comparisons.predicate, test=test, join=COMBINED, type=type)
        for to, flush, test, type in (
            *((TWO, "", test, type) for test, type in INTEGER_TESTS),
            (TWO, "{.ftz}", TESTS, "f32 f16x2"),
            (TWO, "", TESTS, "f64 bf16x2"),
            (ONE, "{.ftz}", TESTS, "f16"),
            (ONE, "", TESTS, "bf16"),
        )
        for form, given in (
            (f"setp.test{flush}.type", "type, type"),
            (f"setp.test.join{flush}.type", "type, type, pred"),
        )
    ),
    *(
        lanes(
            f"set.test{flush}.to.type",
            "to = type, type",
            comparisons.number,
            test=test,
            to="u32 s32 f32",
            type=type,
        )
        for flush, test, type in (
            *(("", test, type) for test, type in INTEGER_TESTS),
            ("{.ftz}", TESTS, "f32"),
            ("", TESTS, "f64"),
        )
    ),
    lanes("selp.type", "type = type, type, pred", always(comparisons.selected), type=CHOSEN),
    lanes("slct.type.s32", "type = type, type, s32", comparisons.selected_by_sign, type=CHOSEN),
    lanes(
        "slct{.ftz}.type.f32", "type = type, type, f32", comparisons.selected_by_sign, type=CHOSEN
    ),
)

CONVERSIONS = (
    ("cvt.to.of", BYTES_TOO, BYTES_TOO),
    *(("cvt.sat.to.of", conversions.narrower(of), of) for of in BYTES_TOO.split()),
    ("cvt.rnd{.sat}.to.of", "f16 f32", BYTES_TOO),
    ("cvt.rn{.sat}.to.of", "f64", BYTES_TOO),
    ("cvt.rnd.to.of", "bf16", INTEGERS),
    ("cvt.whole{.ftz}.to.of", BYTES_TOO, "f32"),
    ("cvt.whole.to.of", BYTES_TOO, "f16 f64"),
    ("cvt.whole.to.of", INTEGERS, "bf16"),
    ("cvt.whole{.ftz}{.sat}.to.of", "f32", "f32"),
    ("cvt.whole{.sat}.to.of", "f16", "f16"),
    ("cvt.whole{.sat}.to.of", "f64", "f64"),
    ("cvt.whole.to.of", "bf16", "bf16"),
    ("cvt{.ftz}{.sat}.to.of", "f32", "f16 f32"),
    ("cvt{.ftz}{.sat}.to.of", "f64", "f32"),
    ("cvt{.sat}.to.of", "f64", "f16"),
    ("cvt{.ftz}.to.of", "f32", "bf16"),
    ("cvt.to.of", "f64", "bf16"),
    ("cvt.rnd{.ftz}{.sat}.to.of", "f16", "f32"),
    ("cvt.rnd{.ftz}{.sat}.to.of", "f32", "f64"),
    ("cvt.rnd{.sat}.to.of", "f16", "f64"),
    ("cvt.near.relu.to.of", "f16 bf16", "f32"),
    ("cvt.rnd.to.of", "bf16", "f16 f32 f64"),
    ("cvt.rnd.to.of", "f16", "bf16"),
    ("cvt.near{.relu}.to.of", "tf32", "f32"),
    ("cvt.rna.to.of", "tf32", "f32"),
)
MOVING_ROWS = (
    lanes("mov.type", UNARY, always(lambda x: x), type=f"pred {CHOSEN}"),
    *(
        lanes(
            form,
            "to = of",
            conversions.converted,
            to=to,
            of=of,
            rnd=ROUNDED,
            whole=WHOLE,
            near="rn rz",
        )
        for form, to, of in CONVERSIONS
    ),
    lanes(
        "cvt.near{.relu}.to.of",
        "to = of, of",
        conversions.packed,
        near="rn rz",
        to="f16x2 bf16x2",
        of="f32",
    ),
    lanes("cvta{.to}.space.type", UNARY, transfers.convert_address, space=WINDOWED, type="u64"),
    lanes("isspacep.space", "pred = u64", transfers.is_in_space, space=WINDOWED),
)

ATOMIC = "{.sem}{.scope}{.space}"
ATOMIC_CHOICES = {
    "sem": "relaxed acquire release acq_rel",
    "scope": SCOPES,
    "space": "global shared shared::cta",
}
UPDATED = (
    ("op.type", "type", "add min max", "u32 u64 s32 s64"),
    ("op.type", "type", "and or xor exch", "b32 b64"),
    ("op.type", "type", "inc dec", "u32"),
    ("op.type", "type", "add", "f32 f64"),
    ("op.noftz.type", "type", "add", SHORT),
)
MEMORY_ROWS = (
    effect(
        "ld{.order}{.scope}{.space}{.cache}{.nc}{.hint}{.ahead}{.many}.type",
        "{type} = []",
        transfers.load,
        order=ORDERS,
        scope=SCOPES,
        space=SPACES,
        cache=CACHES,
        hint=HINTS,
        ahead=PREFETCHED,
        many="v2 v4",
        type=ANYTHING,
    ),
    effect(
        "st{.order}{.scope}{.space}{.cache}{.hint}{.many}.type",
        "= [], {type}",
        transfers.store,
        order=ORDERS,
        scope=SCOPES,
        space=SPACES,
        cache=CACHES,
        hint=HINTS,
        many="v2 v4",
        type=ANYTHING,
    ),
    *(
        effect(
            f"atom{ATOMIC}.{form}",
            f"type = [], {given}",
            transfers.atomic,
            op=op,
            type=type,
            **ATOMIC_CHOICES,
        )
        for form, given, op, type in (*UPDATED, ("op.type", "type, type", "cas", BITS))
    ),
    *(
        effect(
            f"red{ATOMIC}.{form}",
            f"= [], {given}",
            transfers.atomic,
            op=op,
            type=type,
            **ATOMIC_CHOICES,
        )
        for form, given, op, type in UPDATED
    ),
    effect(
        "cp.async.cache.to.global{.hint}{.ahead}",
        "= [], [], b32, b32?",
        transfers.copy,
        cache="ca cg",
        to="shared shared::cta",
        hint="L2::cache_hint",
        ahead=PREFETCHED,
    ),
    effect("cp.async.commit_group", "=", transfers.commit),
    effect("cp.async.wait_group", "= b32", transfers.wait),
    effect("cp.async.wait_all", "=", transfers.wait),
    effect("membar.level", "=", transfers.fence, level="cta gl sys"),
    effect(
        "fence{.sem}.scope", "=", transfers.fence, sem="sc acq_rel acquire release", scope=SCOPES
    ),
    effect("prefetch{.space}.level", "= []", transfers.nothing, space=SPACES, level="L1 L2"),
    effect("nanosleep.u32", "= u32", transfers.nothing),
    effect("griddepcontrol.what", "=", transfers.nothing, what="launch_dependents wait"),
)

SHAPED = "mma.sync.aligned.shape.row.col"
FRAGMENTS = "{b32} = {b32}, {b32}, {b32}"
WARP_ROWS = (
    meeting(
        "shfl.sync.mode.b32",
        "b32|pred = b32, u32, u32, mask",
        warps.shuffle,
        mode="up down bfly idx",
    ),
    meeting("vote.sync.mode.pred", "pred = pred, mask", warps.vote, mode="all any uni"),
    meeting("vote.sync.mode.b32", "b32 = pred, mask", warps.vote, mode="ballot"),
    meeting("match.any.sync.type", "b32 = type, mask", warps.match_any, type="b32 b64"),
    meeting("match.all.sync.type", "b32|pred = type, mask", warps.match_all, type="b32 b64"),
    meeting(
        "redux.sync.op.type", "type = type, mask", warps.reduce, op="add min max", type="u32 s32"
    ),
    meeting("redux.sync.op.type", "type = type, mask", warps.reduce, op=COMBINED, type="b32"),
    meeting("elect.sync", "b32|pred = mask", warps.elect),
    meeting("bar.warp.sync", "= mask", warps.meet),
    effect("activemask.b32", "b32 =", warps.active),
    meeting(
        "ldmatrix.sync.aligned.m8n8.many{.trans}{.space}.b16",
        "{b32} = []",
        matrices.load,
        many="x1 x2 x4",
        space="shared shared::cta",
    ),
    meeting(
        "stmatrix.sync.aligned.m8n8.many{.trans}{.space}.b16",
        "= [], {b32}",
        matrices.store,
        many="x1 x2 x4",
        space="shared shared::cta",
    ),
    meeting(
        f"{SHAPED}.to.type.type.to",
        FRAGMENTS,
        matrices.multiply,
        shape="m16n8k8 m16n8k16",
        to="f32",
        type="f16 bf16",
    ),
    meeting(
        f"{SHAPED}.to.type.type.to",
        FRAGMENTS,
        matrices.multiply,
        shape="m16n8k8 m16n8k16",
        to="f16",
        type="f16",
    ),
    meeting(
        f"{SHAPED}.to.type.type.to",
        FRAGMENTS,
        matrices.multiply,
        shape="m16n8k4 m16n8k8",
        to="f32",
        type="tf32",
    ),
    meeting(
        f"{SHAPED}{{.satfinite}}.to.type.right.to",
        FRAGMENTS,
        matrices.multiply,
        shape="m16n8k16 m16n8k32",
        to="s32",
        type="s8 u8",
        right="s8 u8",
    ),
    meeting(
        f"{SHAPED}.to.to.to.to",
        "{f64} = {f64}, {f64}, {f64}",
        matrices.multiply,
        shape="m8n8k4",
        to="f64",
    ),
)

CONTROL_ROWS = (
    controls("bra{.uni}", "= *", control.branch),
    controls("brx.idx{.uni}", "= b32, *", control.branch_by_index),
    controls("call{.uni}", "= *", control.call),
    controls("ret{.uni}", "=", control.leave),
    controls("exit", "=", control.leave_all),
    controls("trap", "=", control.trap),
    controls("bar{.cta}.sync", "= b32, b32?", control.synchronize, meets=True),
    controls("barrier{.cta}.sync.aligned", "= b32, b32?", control.synchronize, meets=True),
    controls("barrier{.cta}.sync", "= b32, b32?", control.synchronize),
    controls("bar{.cta}.arrive", "= b32, b32", control.arrive, meets=True),
    controls("barrier{.cta}.arrive{.aligned}", "= b32, b32", control.arrive),
    controls(
        "bar{.cta}.red.join.u32",
        "u32 = b32, b32?, pred",
        control.synchronize,
        meets=True,
        join="popc",
    ),
    controls(
        "bar{.cta}.red.join.pred",
        "pred = b32, b32?, pred",
        control.synchronize,
        meets=True,
        join="and or",
    ),
)

TABLE = Table(
    (
        *INTEGER_ROWS,
        *BIT_ROWS,
        *ROUNDED_ROWS,
        *FLOAT_ROWS,
        *APPROXIMATE_ROWS,
        *COMPARISON_ROWS,
        *MOVING_ROWS,
        *MEMORY_ROWS,
        *WARP_ROWS,
        *CONTROL_ROWS,
    )
)
