"""The dialect `loop`: nests over buffers with a plan, then explicit loops, vectors and threads."""

from xdsl.ir import Dialect

from stepwell.compiler.dialects.loop.explicit import EXPLICIT_OPS
from stepwell.compiler.dialects.loop.host import HOST_OPS
from stepwell.compiler.dialects.loop.nests import NEST_OPS
from stepwell.compiler.dialects.loop.scalar import SCALAR_OPS
from stepwell.compiler.dialects.loop.sites import SiteAttr
from stepwell.compiler.dialects.loop.types import AccessAttr, BufferType, OrderAttr, PlanAttr

LOOP = Dialect(
    "loop",
    [*NEST_OPS, *SCALAR_OPS, *EXPLICIT_OPS, *HOST_OPS],
    [BufferType, AccessAttr, OrderAttr, PlanAttr, SiteAttr],
)
