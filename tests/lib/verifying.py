"""xDSL's verifier with a memory: what an op's definition says of types and properties is found out
once for those that are the same, not for each op, and what has a name is not looked for among all
others for each op that names it. Both took a fifth of the time of the tests."""

from collections.abc import Sequence

from xdsl.dialects.builtin import StringAttr, SymbolRefAttr
from xdsl.ir import Attribute, Operation, Region
from xdsl.irdl import OpDef
from xdsl.traits import OpTrait, SymbolTable

from stepwell.compiler.dialects.construct import operands_of

_verify, _lookup = OpDef.verify, SymbolTable.lookup_symbol
_right: dict[tuple[object, ...], tuple[OpDef, Sequence[OpTrait]]] = {}
"""By the types and attributes that a definition allows: itself, which lives on with its number, and
those of its traits that refuse anything."""
_named: dict[Attribute | None, Operation] = {}
"""What has names in the table of symbols that was asked last."""


def remember_what_is_right() -> None:
    OpDef.verify = _verify_once
    SymbolTable.lookup_symbol = staticmethod(_lookup_once)


def _verify_once(self: OpDef, op: Operation) -> None:
    """Refuses as xDSL does. Traits look at what is around the op and in it, so they are asked each
    time; of regions the definition says how many blocks they have, and what the first one takes."""
    named: list[Attribute | None] = [op.attributes.get(name) for name in self.attributes]
    key = (
        id(self),
        *(each.type for each in operands_of(op)),
        None,
        *(each.type for each in op.results),
        len(op.successors),
        *((len(each.blocks), _entered_with(each)) for each in op.regions),
        *op.properties.items(),
        *named,
    )
    if (known := _right.get(key)) is not None:
        for trait in known[1]:
            trait.verify(op)
        return
    _verify(self, op)
    asked = [each for each in self.traits if type(each).verify is not OpTrait.verify]
    _right[key] = self, asked


def _entered_with(region: Region) -> Sequence[Attribute] | None:
    first = region.first_block
    return first and tuple([each.type for each in first.args])


def _lookup_once(op: Operation, name: str | StringAttr | SymbolRefAttr) -> Operation | None:
    """Finds as xDSL does: what has that name where names are looked up, if it does so still."""
    table: Operation | None = op
    while table is not None and not table.has_trait(SymbolTable):
        table = table.parent_op()
    if table is None or not isinstance(name, SymbolRefAttr):
        return _lookup(op, name)
    block, root = table.regions[0].block, name.root_reference
    found = _named.get(root)
    if found is None or found.parent is not block or _name_of(found) != root:
        _named.clear()
        _named.update({_name_of(each): each for each in reversed(block.ops)})
        found = _named.get(root)
    return _lookup(op, name) if name.nested_references.data else found


def _name_of(op: Operation) -> Attribute | None:
    return op.properties.get("sym_name")
