"""The module as a whole: where each op comes from, the pass, and equal text for equal modules."""

from xdsl.context import Context
from xdsl.dialects.builtin import UNKNOWN_LOC
from xdsl.dialects.llvm import FuncOp

from stepwell.compiler.dialects.locations import file_location
from stepwell.compiler.lower.loop_to_llvm import LoopToLlvm, lower
from stepwell.compiler.lower.loop_to_llvm.callees import imports, survey

X = "!loop.buffer<[N] x f32>"
SOURCE = f"""
loop.kernel @k<N: 1>(%x: {X}) -> (%y: {X}) {{
  %n = loop.index N
  %zero = loop.index 0
  %f = loop.load %x[%zero] : {X} to f32
  %s = loop.stack : !loop.buffer<[4] x f32>
  loop.parallel %i to %n {{
    %c = loop.compare lt %i, %n : index
    %v = loop.load %x[%i] where %c : i1 : {X} to f32
    %w = math.cos %v : f32
    %r = loop.for %j = %zero to %n step 1 carry(%a = %w : f32) {{
      %b = arith.addf %a, %f : f32
      loop.yield %b : f32
    }}
    loop.store %r, %y[%i] : f32 to {X}
  }}
}}
loop.func @run<M: 1>(%x: !loop.buffer<[2*M] x f32>) -> (%y: !loop.buffer<[2*M] x f32>) {{
  loop.custom "one" (%x) : !loop.buffer<[2*M] x f32>
  loop.custom "two" (%x) : !loop.buffer<[2*M] x f32>
  loop.launch @k <N = 2*M> (%x, %y) : !loop.buffer<[2*M] x f32>, !loop.buffer<[2*M] x f32>
  loop.custom "one" (%y) : !loop.buffer<[2*M] x f32>
}}"""


def test_every_instruction_says_where_it_comes_from(parse):
    module = parse(SOURCE)
    for line, op in enumerate(module.walk()):
        op.location = file_location("model.py", line, 0)
    kernel = module.body.block.first_op
    within = {op.location for op in kernel.walk()}
    lowered = lower(module)
    assert not [op for op in lowered.body.walk() if op.location == UNKNOWN_LOC]
    functions = {op.sym_name.data: op for op in lowered.ops if isinstance(op, FuncOp)}
    for name in ("k", "k.task1", "cos.rare1.2"):
        assert {op.location for op in functions[name].walk()} <= within
    (cos,) = (op for op in kernel.walk() if op.name == "math.cos")
    assert functions["cos.rare1.2"].location == cos.location


def test_the_pass_puts_the_new_module_in_the_place_of_the_old(parse):
    module = parse(SOURCE)
    expected = str(lower(module))
    LoopToLlvm().apply(Context(), module)
    module.verify()
    assert str(module) == expected
    assert not [op for op in module.walk() if op.name.startswith("loop.")]


def test_imports_stand_in_the_order_of_the_program(parse):
    assert imports(survey(parse(SOURCE))) == ("one", "two")


def test_a_size_is_computed_once_and_at_the_entry(parse):
    source = f"""
loop.func @run<N: 1>(%x: {X}) -> (%y: {X}) {{
  %zero = loop.index 0
  %n = loop.index floordiv(N + 6, 7)
  loop.for %i = %zero to %n step 1 {{
    %a = loop.index (floordiv(N + 6, 7)) * %i + floordiv(N + 6, 7)*N
    %v = loop.load %x[%a] : {X} to f32
    loop.yield
  }}
}}"""
    body = next(op for op in lower(parse(source)).ops if op.sym_name.data == "run.body")
    divisions = [op for op in body.walk() if op.name == "llvm.sdiv"]
    assert [op.parent for op in divisions] == [body.body.blocks.first]
