"""Neural networks: layers, which are trees of arrays, and pure functions.

A layer is a frozen dataclass whose fields are its parameters: it goes through `jit` and `grad` as
it is, and its gradient is a layer of the same kind.
"""

from stepwell.nn.functions import attention as attention
from stepwell.nn.functions import avg_pool as avg_pool
from stepwell.nn.functions import conv2d as conv2d
from stepwell.nn.functions import cross_entropy as cross_entropy
from stepwell.nn.functions import gelu as gelu
from stepwell.nn.functions import layer_norm as layer_norm
from stepwell.nn.functions import log_softmax as log_softmax
from stepwell.nn.functions import max_pool as max_pool
from stepwell.nn.functions import mean_squared_error as mean_squared_error
from stepwell.nn.functions import relu as relu
from stepwell.nn.functions import sigmoid as sigmoid
from stepwell.nn.functions import silu as silu
from stepwell.nn.functions import softmax as softmax
from stepwell.nn.layers import Attention as Attention
from stepwell.nn.layers import Conv2d as Conv2d
from stepwell.nn.layers import Embedding as Embedding
from stepwell.nn.layers import Function as Function
from stepwell.nn.layers import LayerNorm as LayerNorm
from stepwell.nn.layers import Linear as Linear
from stepwell.nn.layers import Sequential as Sequential
