"""What the runtime's tests share: objects that llvmlite makes, and artifacts around them."""

import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

import llvmlite.binding as llvm
import numpy as np
import pytest

from stepwell.compiler.targets.host import host
from stepwell.compiler.targets.support import support_object
from stepwell.runtime import artifact, pool, safetensors, system
from stepwell.runtime.dtypes import BY_NAME, Array
from stepwell.runtime.entry import Argument, ArrayType, Entry, Result, SizeRange
from stepwell.runtime.errors import SourceLine
from stepwell.runtime.manifest import Manifest, Target
from stepwell.runtime.model import EntryPoint
from stepwell.runtime.samples import Sample, pack
from stepwell.runtime.sizes import Size
from stepwell.runtime.tree import Items, Leaf

PROGRAMS = {
    # y[i] = 2 * x[i] + w[i % 4], by way of the workspace; args x, w, y; sizes B
    "scale": """
@scale.takes = constant [2 x i64] [i64 3, i64 1]
define i32 @scale(ptr %ctx, ptr %args, ptr %sizes) nounwind {
entry:
  %slot = getelementptr ptr, ptr %ctx, i64 1
  %work = load ptr, ptr %slot
  %x = load ptr, ptr %args
  %wp = getelementptr ptr, ptr %args, i64 1
  %w = load ptr, ptr %wp
  %yp = getelementptr ptr, ptr %args, i64 2
  %y = load ptr, ptr %yp
  %b = load i64, ptr %sizes
  %n = mul i64 %b, 4
  %some = icmp sgt i64 %n, 0
  br i1 %some, label %double, label %done
double:
  %i = phi i64 [0, %entry], [%i1, %double]
  %xi = getelementptr float, ptr %x, i64 %i
  %v = load float, ptr %xi
  %v2 = fmul float %v, 2.0
  %ti = getelementptr float, ptr %work, i64 %i
  store volatile float %v2, ptr %ti
  %i1 = add i64 %i, 1
  %more = icmp slt i64 %i1, %n
  br i1 %more, label %double, label %shift
shift:
  %j = phi i64 [0, %double], [%j1, %shift]
  %tj = getelementptr float, ptr %work, i64 %j
  %t = load volatile float, ptr %tj
  %k = and i64 %j, 3
  %wk = getelementptr float, ptr %w, i64 %k
  %c = load float, ptr %wk
  %s = fadd float %t, %c
  %yj = getelementptr float, ptr %y, i64 %j
  store float %s, ptr %yj
  %j1 = add i64 %j, 1
  %rest = icmp slt i64 %j1, %n
  br i1 %rest, label %shift, label %done
done:
  ret i32 0
}
""",
    # total = count + step, and the state count becomes total; args step, count, total
    "advance": """
@advance.takes = constant [2 x i64] [i64 3, i64 0]
define i32 @advance(ptr %ctx, ptr %args, ptr %sizes) nounwind {
  %step = load ptr, ptr %args
  %cp = getelementptr ptr, ptr %args, i64 1
  %count = load ptr, ptr %cp
  %tp = getelementptr ptr, ptr %args, i64 2
  %total = load ptr, ptr %tp
  %a = load i64, ptr %step
  %b = load i64, ptr %count
  %sum = add i64 %a, %b
  store i64 %sum, ptr %total
  %odd = icmp slt i64 %a, 0
  br i1 %odd, label %fail, label %good
fail:
  %code = getelementptr i64, ptr %ctx, i64 6
  store i64 1, ptr %code
  %site = getelementptr i64, ptr %ctx, i64 7
  store i64 0, ptr %site
  ret i32 1
good:
  ret i32 0
}
""",
    # prints x through site 0, then y = x; args x, y; sizes N
    "show": """
@show.takes = constant [2 x i64] [i64 2, i64 1]
define i32 @show(ptr %ctx, ptr %args, ptr %sizes) nounwind {
entry:
  %hp = getelementptr ptr, ptr %ctx, i64 4
  %host = load ptr, ptr %hp
  %failed = call i32 %host(ptr %ctx, i64 0, ptr %args, ptr %sizes)
  %bad = icmp ne i32 %failed, 0
  br i1 %bad, label %fail, label %good
fail:
  %code = getelementptr i64, ptr %ctx, i64 6
  store i64 2, ptr %code
  %site = getelementptr i64, ptr %ctx, i64 7
  store i64 0, ptr %site
  ret i32 1
good:
  ret i32 0
}
""",
    # y[0] = labs(x[0]) through import 0; args x, y
    "absolute": """
@absolute.takes = constant [2 x i64] [i64 2, i64 0]
define i32 @absolute(ptr %ctx, ptr %args, ptr %sizes) nounwind {
  %ip = getelementptr ptr, ptr %ctx, i64 5
  %table = load ptr, ptr %ip
  %labs = load ptr, ptr %table
  %x = load ptr, ptr %args
  %v = load i64, ptr %x
  %a = call i64 %labs(i64 %v)
  %yp = getelementptr ptr, ptr %args, i64 1
  %y = load ptr, ptr %yp
  store i64 %a, ptr %y
  ret i32 0
}
""",
    # y[i] = i in a parallel loop; args y; sizes N
    "count": """
@count.takes = constant [2 x i64] [i64 2, i64 1]
define internal void @count.task(ptr %y, i64 %begin, i64 %end) nounwind {
entry:
  br label %next
next:
  %i = phi i64 [%begin, %entry], [%i1, %body]
  %more = icmp slt i64 %i, %end
  br i1 %more, label %body, label %done
body:
  %yi = getelementptr i64, ptr %y, i64 %i
  store i64 %i, ptr %yi
  %i1 = add i64 %i, 1
  br label %next
done:
  ret void
}
define i32 @count(ptr %ctx, ptr %args, ptr %sizes) nounwind {
  %fp = getelementptr ptr, ptr %ctx, i64 2
  %for = load ptr, ptr %fp
  %pp = getelementptr ptr, ptr %ctx, i64 3
  %pool = load ptr, ptr %pp
  %yp = getelementptr ptr, ptr %args, i64 1
  %y = load ptr, ptr %yp
  %n = load i64, ptr %sizes
  call void %for(ptr %pool, ptr @count.task, ptr %y, i64 %n)
  ret i32 0
}
""",
}


class Make:
    """Makes the things that tests load."""

    def object(self, text: str, triple: str = "", relocation: str = "pic") -> bytes:
        """A relocatable object from LLVM IR, for this machine or another."""
        target = llvm.Target.from_triple(triple or llvm.get_default_triple())
        machine = target.create_target_machine(opt=2, reloc=relocation, codemodel="small")
        module = llvm.parse_assembly(text)
        module.triple, module.data_layout = machine.triple, str(machine.target_data)
        return machine.emit_object(module)

    def type(self, text: str) -> ArrayType:
        """`f32[B,4]` as a type."""
        name, _, sizes = text.rstrip("]").partition("[")
        shape = re.split(r",(?![^(]*\))", sizes) if sizes else []
        return ArrayType(BY_NAME[name], tuple(map(Size.parse, shape)))

    def digest(self, array: Array) -> str:
        return sha256(array.tobytes()).hexdigest()

    def entry(
        self,
        symbol: str,
        inputs: Mapping[str, str],
        results: Mapping[str, str],
        *,
        sizes: Sequence[SizeRange] = (),
        others: Sequence[Argument] = (),
        **rest: object,
    ) -> Entry:
        """An entry point whose parameters are arrays, and whose result is an array or a tuple."""
        answers = tuple(Result(name, self.type(text)) for name, text in results.items())
        leaves = tuple(map(Leaf, range(len(answers))))
        fields = {
            "results": answers,
            "outputs": leaves[0] if len(leaves) == 1 else Items("tuple", leaves),
            **rest,
        }
        return Entry(
            symbol=symbol,
            parameters=tuple(inputs),
            arguments=(
                *(Argument("input", name, self.type(text)) for name, text in inputs.items()),
                *others,
            ),
            sizes=tuple(sizes),
            inputs=Items("tuple", tuple(map(Leaf, range(len(inputs))))),
            **fields,
        )

    def manifest(self, entries: Mapping[str, Entry], **rest: object) -> Manifest:
        """A manifest with one target that this machine can run."""
        need = dict.fromkeys(entries, Size.of(0))
        return Manifest(
            "stepwell test", entries, (self.target("baseline", workspace=need),), **rest
        )

    def target(self, name: str, **fields: object) -> Target:
        given = {
            "architecture": system.architecture(),
            "features": (),
            "code": f"code/{name}.o",
            "workspace": {},
            **fields,
        }
        return Target(name, **given)

    def scale(self, features: Sequence[str] = ()) -> tuple[Manifest, dict[str, bytes]]:
        """The model scale(x: f32[B,4]) -> f32[B,4] with B in 0..64: its manifest and members."""
        weights = np.array([1, 2, 3, 4], np.float32)
        constant = Argument("constant", "w", self.type("f32[4]"), self.digest(weights))
        entry = self.entry(
            "scale",
            {"x": "f32[B,4]"},
            {"y": "f32[B,4]"},
            sizes=[SizeRange("B", 0, 64)],
            others=[constant],
        )
        target = self.target(
            "baseline", workspace={"scale": Size.parse("16*B")}, features=tuple(features)
        )
        x = np.arange(8, dtype=np.float32).reshape(2, 4)
        sample = Sample("scale", [x], [2 * x + weights])
        members = {
            target.code: self.object(PROGRAMS["scale"]),
            artifact.WEIGHTS: safetensors.serialize({self.digest(weights): weights}),
            artifact.SAMPLES: safetensors.serialize(pack([sample])),
        }
        return Manifest("stepwell test", {"scale": entry}, (target,)), members

    def scale_file(self, path: Path) -> Path:
        """That model as a file."""
        artifact.write(path, *self.scale())
        return path


@pytest.fixture(scope="session")
def make() -> Make:
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    return Make()


@pytest.fixture(scope="session")
def programs() -> dict[str, str]:
    return PROGRAMS


@pytest.fixture
def scale_file(make: Make, tmp_path: Path) -> Path:
    return make.scale_file(tmp_path / "m.well")


@pytest.fixture
def line(tmp_path: Path) -> SourceLine:
    """A place in a user's file: `y` in `    assert y > 0`."""
    path = tmp_path / "user.py"
    path.write_text("def f(y):\n    assert y > 0\n")
    return SourceLine(str(path), 2, 11, 16)


@pytest.fixture
def slow(monkeypatch):
    """The calls that were made in Python, in a process that has just loaded the thunk."""
    calls = []
    called = EntryPoint._called

    def counted(self, *args, **kwargs):
        calls.append((args, kwargs))
        return called(self, *args, **kwargs)

    monkeypatch.setattr(EntryPoint, "_called", counted)
    monkeypatch.setattr(pool, "_process", type(pool._process)())
    pool.provide(support_object(host()), "the support object")
    return calls
