"""A kernel that keeps more numbers at a time than it may have registers."""

TEXT = """
.version 8.0
.target sm_80
.address_size 64
.visible .entry spilling(.param .u64 place) .maxnreg 16 {
  .reg .u64 %p;
  .reg .f32 %f<64>;
  .shared .align 4 .b8 room[256];
  ld.param.u64 %p, [place];
  cvta.to.global.u64 %p, %p;
  LOADS
  STORES
  ret;
}
"""


def spilling() -> str:
    loads = [f"ld.volatile.global.f32 %f{n}, [%p+{4 * n}];" for n in range(64)]
    stores = [f"st.volatile.global.f32 [%p+{4 * n}], %f{63 - n};" for n in range(64)]
    stores.append("st.volatile.shared.f32 [room], %f0;")
    return TEXT.replace("LOADS", "\n".join(loads)).replace("STORES", "\n".join(stores))
