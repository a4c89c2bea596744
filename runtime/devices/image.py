"""What a target for a device has beside its host code: PTX, and what a device must know of it."""

from dataclasses import dataclass
from typing import final

from stepwell.runtime.fields import Field, Json


@final
@dataclass(frozen=True, slots=True)
class DeviceCode:
    """PTX in the member `ptx`, whose `kernels` host code knows by their numbers.

    `host` is the architecture of the host code, and `shared` the bytes of memory that a block of
    its threads shares at most. The entry points of `host_controlled` wait for numbers of the
    device's to know how they go on: what they launch differs from call to call.
    """

    ptx: str
    kernels: tuple[str, ...]
    shared: int
    host: str
    host_controlled: tuple[str, ...] = ()

    def to_json(self) -> Json:
        """The code as it stands in a manifest."""
        return {
            "ptx": self.ptx,
            "kernels": self.kernels,
            "shared": self.shared,
            "host": self.host,
            "host_controlled": self.host_controlled,
        }

    @staticmethod
    def from_json(field: Field) -> "DeviceCode":
        """The code that a manifest describes."""
        waiting = field.get("host_controlled")
        return DeviceCode(
            field["ptx"].text(),
            field["kernels"].texts(),
            field["shared"].count(),
            field["host"].text(),
            () if waiting is None else waiting.texts(),
        )
