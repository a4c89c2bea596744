"""Symbolic sizes: what the runtime knows of a length before a call."""

from stepwell.runtime.sizes.comparison import Relation as Relation
from stepwell.runtime.sizes.comparison import at_most as at_most
from stepwell.runtime.sizes.comparison import equal as equal
from stepwell.runtime.sizes.comparison import proposal as proposal
from stepwell.runtime.sizes.intervals import Ranges as Ranges
from stepwell.runtime.sizes.size import KNOWN as KNOWN
from stepwell.runtime.sizes.size import Operator as Operator
from stepwell.runtime.sizes.size import Size as Size
from stepwell.runtime.sizes.size import largest as largest
from stepwell.runtime.sizes.size import smallest as smallest
from stepwell.runtime.sizes.text import LARGEST as LARGEST
from stepwell.runtime.sizes.text import SizeSyntaxError as SizeSyntaxError
