"""How concentrated a portfolio is, by symbol and by sector."""

from dataclasses import dataclass

import numpy as np

from app.calculations.arrays import BoolArray, FloatArray

HHI_SCALE = 10_000.0


@dataclass(frozen=True)
class Concentration:
    """Per day (D,), NaN where nothing is held.

    hhi: Herfindahl-Hirschman index, 10,000 times the sum of squared weights. effective_positions:
    the number of equal positions with that index. top_3 and top_10: summed weights, 0 to 1.
    """

    hhi: FloatArray
    effective_positions: FloatArray
    top_3: FloatArray
    top_10: FloatArray


def concentration(gross_values: FloatArray) -> Concentration:
    """Concentration of gross market values (D, S), one column per symbol; NaN counts as nothing.

    A symbol's weight is its share of the day's gross value.
    """
    gross = np.abs(np.nan_to_num(gross_values))
    total = gross.sum(axis=1)
    nothing = np.where(total > 0, 0.0, np.nan)
    weights = gross / np.where(total > 0, total, 1.0)[:, None]
    hhi = HHI_SCALE * (weights**2).sum(axis=1) + nothing
    largest = -np.sort(-weights, axis=1)
    return Concentration(
        hhi=hhi,
        effective_positions=HHI_SCALE / hhi,
        top_3=largest[:, :3].sum(axis=1) + nothing,
        top_10=largest[:, :10].sum(axis=1) + nothing,
    )


def sector_weights(
    gross_values: FloatArray, in_sector: BoolArray, equity: FloatArray
) -> FloatArray:
    """Gross value of each sector relative to equity (D, K); NaN where equity is not positive.

    gross_values (D, S); in_sector (S, K) says which symbol belongs to which sector (a symbol in
    none is dropped); equity (D,). Short positions add, so a leveraged book exceeds 1.
    """
    by_sector = np.abs(np.nan_to_num(gross_values)) @ in_sector.astype(np.float64)
    return by_sector / np.where(equity > 0, equity, np.nan)[:, None]
