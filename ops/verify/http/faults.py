"""What is wrong with many answers, in one finding."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ops.verify.http.failures import AbsentError, NoAnswerError, UnusableAnswerError
from ops.verify.report import Finding, judged

_SHOWN = 3


@dataclass
class Faults:
    """Faults, one line each, and the endpoints that are absent."""

    lines: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)

    def add(self, line: str) -> None:
        """A fault."""
        self.lines.append(line)

    def unless(self, good: bool, line: str) -> None:
        """A fault where something is not good."""
        if not good:
            self.add(line)

    def compare(self, name: str, found: float, expected: float, cents: int = 1) -> None:
        """A fault where two figures differ by more than some cents, each rounded by itself."""
        if abs(found - expected) > 0.01 * cents + 1e-9 * abs(expected):
            self.add(f"{name}: {found:,.2f} instead of {expected:,.2f}")

    @contextmanager
    def of(self, whose: str) -> Iterator[None]:
        """What goes wrong in this block is a fault of its subject, and stops nothing else."""
        try:
            yield
        except AbsentError as error:
            self.absent.append(str(error))
            self.add(f"{whose}: {error}")
        except (NoAnswerError, UnusableAnswerError) as error:
            self.add(f"{whose}: {error}")

    def finding(self, good: str, **measured: Any) -> Finding:
        """`good` where nothing is wrong, else how much and what first."""
        if not self.lines:
            return judged(True, good, **measured)
        more = f"; and {len(self.lines) - _SHOWN} more" if len(self.lines) > _SHOWN else ""
        shown = "; ".join(self.lines[:_SHOWN])
        return judged(False, f"{len(self.lines)} faults: {shown}{more}", **measured)
