"""The staff's panel, under /admin/: one blueprint; pages over the same models as the gateway."""

from admin.panel import set_up

__all__ = ["set_up"]
