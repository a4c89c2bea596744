"""The runtime: loads and runs `.well` files with NumPy and ctypes alone, and knows no compiler."""

from stepwell.runtime.errors import CallError as CallError
from stepwell.runtime.errors import LoadError as LoadError
from stepwell.runtime.errors import StepwellError as StepwellError
from stepwell.runtime.loading import load as load
from stepwell.runtime.model import EntryPoint as EntryPoint
from stepwell.runtime.model import Model as Model
from stepwell.runtime.pool import set_threads as set_threads
from stepwell.runtime.pool import threads as threads
from stepwell.runtime.signature import Signature as Signature
from stepwell.runtime.verify import Report as Report
from stepwell.runtime.verify import verify as verify
