"""Whether the equity of each day follows from the day before, to the cent."""

from ops.verify.report import Verdict, judged
from ops.verify.subject import Subject


def starting_capital(subject: Subject) -> Verdict:
    """The first snapshot with positions starts from the recorded capital:
    E = capital + daily profit + capital flows since the first snapshot."""
    portfolios, unrecorded, broken, example = subject.row("starting_capital")
    detail = f"{portfolios:,} portfolios; {unrecorded:,} without recorded capital, {broken:,} start"
    detail += " elsewhere" + (f", first {example}" if example else "")
    return judged(
        not unrecorded and not broken,
        detail,
        portfolios=portfolios,
        unrecorded=unrecorded,
        broken=broken,
    )


def equity_chain(subject: Subject) -> Verdict:
    """E of a day = E of the last day with positions + daily profit + capital flows in between,
    give or take the cent by which two rounded figures may differ."""
    steps, broken, example = subject.row("equity_chain")
    detail = f"{steps:,} steps, {broken:,} broken" + (f", first {example}" if example else "")
    return judged(not broken, detail, steps=steps, broken=broken)


def snapshot_identities(subject: Subject) -> Verdict:
    """gross = long + |short|, net = long + short, total value = equity, positions = long + short
    ones; a day without positions stores zeros."""
    snapshots, gross, net, total, number = subject.row("snapshot_identities")
    broken = {"gross": gross, "net": net, "total_value": total, "num_positions": number}
    named = [f"{count:,} with another {name}" for name, count in broken.items() if count]
    detail = "; ".join([f"{snapshots:,} snapshots", *(named or ["all add up"])])
    return judged(not named, detail, snapshots=snapshots, **broken)
