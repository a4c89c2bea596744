"""NumPy's names over the ops of Stepwell: functions of arrays, which run now or are traced.

Shapes broadcast as in NumPy; dtypes follow the array API, so that values never count. An axis is
counted from the back where it is negative.
"""

from stepwell.array import asarray as asarray
from stepwell.numpy.creation import arange as arange
from stepwell.numpy.creation import array as array
from stepwell.numpy.creation import astype as astype
from stepwell.numpy.creation import eye as eye
from stepwell.numpy.creation import from_dlpack as from_dlpack
from stepwell.numpy.creation import full as full
from stepwell.numpy.creation import full_like as full_like
from stepwell.numpy.creation import iota as iota
from stepwell.numpy.creation import linspace as linspace
from stepwell.numpy.creation import meshgrid as meshgrid
from stepwell.numpy.creation import ones as ones
from stepwell.numpy.creation import ones_like as ones_like
from stepwell.numpy.creation import tril as tril
from stepwell.numpy.creation import triu as triu
from stepwell.numpy.creation import zeros as zeros
from stepwell.numpy.creation import zeros_like as zeros_like
from stepwell.numpy.dtypes import bfloat16 as bfloat16
from stepwell.numpy.dtypes import bool_ as bool_
from stepwell.numpy.dtypes import e as e
from stepwell.numpy.dtypes import finfo as finfo
from stepwell.numpy.dtypes import float16 as float16
from stepwell.numpy.dtypes import float32 as float32
from stepwell.numpy.dtypes import float64 as float64
from stepwell.numpy.dtypes import iinfo as iinfo
from stepwell.numpy.dtypes import inf as inf
from stepwell.numpy.dtypes import int8 as int8
from stepwell.numpy.dtypes import int32 as int32
from stepwell.numpy.dtypes import int64 as int64
from stepwell.numpy.dtypes import nan as nan
from stepwell.numpy.dtypes import newaxis as newaxis
from stepwell.numpy.dtypes import pi as pi
from stepwell.numpy.dtypes import uint8 as uint8
from stepwell.numpy.einsum import einsum as einsum
from stepwell.numpy.elementwise import abs as abs
from stepwell.numpy.elementwise import add as add
from stepwell.numpy.elementwise import bitwise_and as bitwise_and
from stepwell.numpy.elementwise import bitwise_left_shift as bitwise_left_shift
from stepwell.numpy.elementwise import bitwise_not as bitwise_not
from stepwell.numpy.elementwise import bitwise_or as bitwise_or
from stepwell.numpy.elementwise import bitwise_right_shift as bitwise_right_shift
from stepwell.numpy.elementwise import bitwise_xor as bitwise_xor
from stepwell.numpy.elementwise import ceil as ceil
from stepwell.numpy.elementwise import clip as clip
from stepwell.numpy.elementwise import cos as cos
from stepwell.numpy.elementwise import cosh as cosh
from stepwell.numpy.elementwise import divide as divide
from stepwell.numpy.elementwise import equal as equal
from stepwell.numpy.elementwise import erf as erf
from stepwell.numpy.elementwise import exp as exp
from stepwell.numpy.elementwise import exp2 as exp2
from stepwell.numpy.elementwise import expm1 as expm1
from stepwell.numpy.elementwise import floor as floor
from stepwell.numpy.elementwise import floor_divide as floor_divide
from stepwell.numpy.elementwise import greater as greater
from stepwell.numpy.elementwise import greater_equal as greater_equal
from stepwell.numpy.elementwise import isclose as isclose
from stepwell.numpy.elementwise import isfinite as isfinite
from stepwell.numpy.elementwise import isinf as isinf
from stepwell.numpy.elementwise import isnan as isnan
from stepwell.numpy.elementwise import less as less
from stepwell.numpy.elementwise import less_equal as less_equal
from stepwell.numpy.elementwise import log as log
from stepwell.numpy.elementwise import log1p as log1p
from stepwell.numpy.elementwise import log2 as log2
from stepwell.numpy.elementwise import log10 as log10
from stepwell.numpy.elementwise import logaddexp as logaddexp
from stepwell.numpy.elementwise import logical_and as logical_and
from stepwell.numpy.elementwise import logical_not as logical_not
from stepwell.numpy.elementwise import logical_or as logical_or
from stepwell.numpy.elementwise import logical_xor as logical_xor
from stepwell.numpy.elementwise import maximum as maximum
from stepwell.numpy.elementwise import minimum as minimum
from stepwell.numpy.elementwise import mod as mod
from stepwell.numpy.elementwise import multiply as multiply
from stepwell.numpy.elementwise import nan_to_num as nan_to_num
from stepwell.numpy.elementwise import negative as negative
from stepwell.numpy.elementwise import not_equal as not_equal
from stepwell.numpy.elementwise import positive as positive
from stepwell.numpy.elementwise import power as power
from stepwell.numpy.elementwise import reciprocal as reciprocal
from stepwell.numpy.elementwise import round as round
from stepwell.numpy.elementwise import rsqrt as rsqrt
from stepwell.numpy.elementwise import sign as sign
from stepwell.numpy.elementwise import sin as sin
from stepwell.numpy.elementwise import sinh as sinh
from stepwell.numpy.elementwise import sqrt as sqrt
from stepwell.numpy.elementwise import square as square
from stepwell.numpy.elementwise import subtract as subtract
from stepwell.numpy.elementwise import tan as tan
from stepwell.numpy.elementwise import tanh as tanh
from stepwell.numpy.elementwise import trunc as trunc
from stepwell.numpy.elementwise import where as where
from stepwell.numpy.linear_algebra import dot as dot
from stepwell.numpy.linear_algebra import inner as inner
from stepwell.numpy.linear_algebra import matmul as matmul
from stepwell.numpy.linear_algebra import outer as outer
from stepwell.numpy.linear_algebra import tensordot as tensordot
from stepwell.numpy.linear_algebra import trace as trace
from stepwell.numpy.linear_algebra import vdot as vdot
from stepwell.numpy.manipulation import broadcast_arrays as broadcast_arrays
from stepwell.numpy.manipulation import broadcast_to as broadcast_to
from stepwell.numpy.manipulation import concatenate as concatenate
from stepwell.numpy.manipulation import diagonal as diagonal
from stepwell.numpy.manipulation import diff as diff
from stepwell.numpy.manipulation import expand_dims as expand_dims
from stepwell.numpy.manipulation import flip as flip
from stepwell.numpy.manipulation import matrix_transpose as matrix_transpose
from stepwell.numpy.manipulation import moveaxis as moveaxis
from stepwell.numpy.manipulation import pad as pad
from stepwell.numpy.manipulation import ravel as ravel
from stepwell.numpy.manipulation import repeat as repeat
from stepwell.numpy.manipulation import reshape as reshape
from stepwell.numpy.manipulation import roll as roll
from stepwell.numpy.manipulation import split as split
from stepwell.numpy.manipulation import squeeze as squeeze
from stepwell.numpy.manipulation import stack as stack
from stepwell.numpy.manipulation import swapaxes as swapaxes
from stepwell.numpy.manipulation import tile as tile
from stepwell.numpy.manipulation import transpose as transpose
from stepwell.numpy.manipulation import unstack as unstack
from stepwell.numpy.reductions import all as all
from stepwell.numpy.reductions import allclose as allclose
from stepwell.numpy.reductions import any as any
from stepwell.numpy.reductions import argmax as argmax
from stepwell.numpy.reductions import argmin as argmin
from stepwell.numpy.reductions import array_equal as array_equal
from stepwell.numpy.reductions import count_nonzero as count_nonzero
from stepwell.numpy.reductions import cumsum as cumsum
from stepwell.numpy.reductions import logsumexp as logsumexp
from stepwell.numpy.reductions import max as max
from stepwell.numpy.reductions import mean as mean
from stepwell.numpy.reductions import min as min
from stepwell.numpy.reductions import prod as prod
from stepwell.numpy.reductions import std as std
from stepwell.numpy.reductions import sum as sum
from stepwell.numpy.reductions import var as var
from stepwell.numpy.selection import argsort as argsort
from stepwell.numpy.selection import dynamic_slice as dynamic_slice
from stepwell.numpy.selection import dynamic_update_slice as dynamic_update_slice
from stepwell.numpy.selection import sort as sort
from stepwell.numpy.selection import take as take
from stepwell.numpy.selection import take_along_axis as take_along_axis

# Second names.
bool = bool_
absolute = abs
bitwise_invert = bitwise_not
left_shift = bitwise_left_shift
right_shift = bitwise_right_shift
invert = bitwise_not
left_shift = bitwise_left_shift
right_shift = bitwise_right_shift
true_divide = divide
remainder = mod
pow = power
rint = round
concat = concatenate
permute_dims = transpose
