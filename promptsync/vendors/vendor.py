"""What every vendor's class has beside its hooks: what must be known of it where no configuration is at hand."""

from typing import ClassVar

from promptsync.model import Table
from promptsync.plugins.declared import Check


class Vendor:
    """A vendor. Its hooks are methods of the class that is made of it."""

    TABLES: ClassVar[tuple[Table, ...]] = ()

    def checks(self) -> list[Check]:
        """What ``doctor`` asks of a mirror; a vendor that has any marks this as a hook."""
        return []

    @staticmethod
    def own_mark(file_name: str) -> str | None:
        """What a file is that the vendor writes for itself, a sentence; None if it is none."""
        del file_name  # none does, unless it says so
        return None
