"""What types the llvm level's operands and results may have: scalars, or vectors of them, and types
that follow from others."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import TypeVar
from xdsl.dialects.builtin import AnyFloatConstr, SignlessIntegerConstraint, VectorType, i1
from xdsl.dialects.llvm import LLVMPointerType
from xdsl.ir import Attribute
from xdsl.irdl import (
    AnyAttr,
    AttrConstraint,
    EqAttrConstraint,
    InferenceContext,
    IntConstraint,
    VarConstraint,
    VerificationContext,
    base,
)
from xdsl.utils.exceptions import VerifyException

from stepwell.compiler.dialects.llvm.types import like, struct

Integers = SignlessIntegerConstraint | VectorType.constr(SignlessIntegerConstraint)
Floats = AnyFloatConstr | VectorType.constr(AnyFloatConstr)
Pointers = base(LLVMPointerType) | VectorType.constr(base(LLVMPointerType))
PointerVector = VectorType.constr(base(LLVMPointerType))
AnyVector = VectorType.constr()
Bit = EqAttrConstraint(i1)
Mask = VectorType.constr(Bit)

# One type for all of an op's operands and results that have it.
Same = VarConstraint("T", AnyAttr())
SameIntegers = VarConstraint("T", Integers)
SameFloats = VarConstraint("T", Floats)


@dataclass(frozen=True)
class Following(AttrConstraint[Attribute], ABC):
    """A type that follows from the one bound to the variable `of`, and need not be written."""

    of: VarConstraint[Attribute]
    WHAT: ClassVar[str]

    @staticmethod
    @abstractmethod
    def compute(type: Attribute) -> Attribute: ...

    def verify(self, attr: Attribute, constraint_context: VerificationContext) -> None:
        if attr != (expected := self.infer(constraint_context)):
            raise VerifyException(f"expected {expected}, {self.WHAT}, but got {attr}")

    def can_infer(self, var_constraint_names: Set[str]) -> bool:
        return self.of.name in var_constraint_names

    def infer(self, context: InferenceContext) -> Attribute:
        bound = context.get_variable(self.of.name)
        if bound is None:
            raise VerifyException(f"nothing is bound to '{self.of.name}', on which a type depends")
        return self.compute(bound)

    def mapping_type_vars(
        self, type_var_mapping: Mapping[TypeVar, AttrConstraint | IntConstraint]
    ) -> AttrConstraint[Attribute]:
        return self


@dataclass(frozen=True)
class Comparison(Following):
    """i1, in as many lanes as the compared operands."""

    WHAT: ClassVar = "one bit per compared lane"

    @staticmethod
    def compute(type: Attribute) -> Attribute:
        return like(type, i1)


@dataclass(frozen=True)
class ValueAndSuccess(Following):
    """What `cmpxchg` gives: the old value, and whether it was exchanged."""

    WHAT: ClassVar = "the old value and an i1"

    @staticmethod
    def compute(type: Attribute) -> Attribute:
        return struct(type, i1)
