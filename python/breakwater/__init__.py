"""Capital engine for smart-contract cover.

    >>> import breakwater
    >>> portfolio = breakwater.example("cp500")
    >>> outcome = breakwater.run(portfolio, years=100_000, seed=1)
    >>> outcome.gross["tvar99"]      # in portfolio.unit
    >>> outcome.allocation           # float64, shape (products,), sums to it

Amounts are in the portfolio's own unit (`Portfolio.unit`), rates are events a
year, probabilities and shares are fractions of one. The same portfolio, number
of years and seed give the same digits at any number of threads.
"""

from __future__ import annotations

import json
import pathlib
from typing import Any

import numpy as np

from . import _breakwater
from ._breakwater import EXAMPLES, LEVELS, Portfolio

__all__ = ["EXAMPLES", "LEVELS", "Outcome", "Portfolio", "example", "load", "loads", "run"]


def example(name: str) -> Portfolio:
    """A portfolio that comes with the package; names are in `EXAMPLES`."""
    return Portfolio.example(name)


def loads(text: str) -> Portfolio:
    """A portfolio from the text of a TOML or JSON document.

    Raises ValueError with the place of the first fault.
    """
    return Portfolio.from_json(text) if text.lstrip().startswith("{") else Portfolio.from_toml(text)


def load(path: str | pathlib.Path) -> Portfolio:
    """A portfolio from a TOML or JSON file."""
    return loads(pathlib.Path(path).read_text(encoding="utf-8"))


def run(portfolio: Portfolio, years: int = 1_000_000, seed: int = 1, threads: int | None = None) -> Outcome:
    """Simulates `years` years of a portfolio.

    years: from 1 to 2**31. seed: from 0 to 2**64 - 1. threads: all processors
    if None; the digits do not depend on it. Other Python threads run meanwhile.
    """
    return Outcome(portfolio, portfolio.simulate(years, seed, threads))


class Outcome:
    """What a run found. Amounts are in `unit`."""

    def __init__(self, portfolio: Portfolio, found: _breakwater.Outcome) -> None:
        self._found = found
        self._dict: dict[str, Any] = json.loads(found.to_json())
        self.portfolio = portfolio

    @property
    def unit(self) -> str:
        """What an amount of 1.0 is."""
        return self._dict["unit"]

    @property
    def gross(self) -> dict[str, float]:
        """`mean`, `sd`, `var99`, `var995`, `tvar99` of the gross year."""
        return self._dict["gross"]

    @property
    def net(self) -> dict[str, float]:
        """The same of what treaties leave."""
        return self._dict["net"]

    @property
    def layers(self) -> list[dict[str, Any]]:
        """Each treaty: `id`, the five figures of what it pays, `attach` and `exhaust` probabilities."""
        return self._dict["layers"]

    @property
    def tranches(self) -> list[dict[str, Any]]:
        """The same for surplus and tranches of each pool."""
        return self._dict["tranches"]

    @property
    def allocation(self) -> np.ndarray:
        """Euler parts of the gross TVaR 99 %: float64, shape (products,), in the portfolio's order."""
        return self._found.allocation

    @property
    def standard_errors(self) -> dict[str, Any]:
        """Standard errors, in the places of what they are errors of; `allocation` as float64, shape (products,)."""
        return {**self._dict["standard_errors"], "allocation": self._found.allocation_errors}

    @property
    def seconds(self) -> float:
        """Wall time of the run, seconds."""
        return self._dict["seconds"]

    @property
    def hashes(self) -> dict[str, str]:
        """Keccak-256 of the engine (`model`), the portfolio (`data`) and the seed with the years (`seed`)."""
        return self._dict["hashes"]

    def exceedance(self, of: str = "gross") -> np.ndarray:
        """Exceedance curve of "gross", "net" or "largest" (the year's largest event): float64, shape (points, 3):
        amount, yearly probability of more, standard error of that probability."""
        return self._found.exceedance(of)

    def levels(self, of: str = "gross") -> np.ndarray:
        """Quantiles at `LEVELS`: float64, shape (levels, 5): level, VaR, its standard error, TVaR, its standard
        error."""
        return self._found.levels(of)

    def to_dict(self) -> dict[str, Any]:
        """Everything, as the command line's `--json` prints it."""
        return json.loads(self._found.to_json())

    def write_tables(self, folder: str | pathlib.Path) -> list[pathlib.Path]:
        """Writes allocation, layers, levels and curves as Parquet files into a folder (needs pyarrow)."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        folder = pathlib.Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        errors = self.standard_errors
        tables = {
            "allocation": pa.table(
                {"product": self.portfolio.products, "tvar99": self.allocation, "standard_error": errors["allocation"]}
            ),
            "layers": pa.Table.from_pylist(self.layers + self.tranches),
        }
        for of in ("gross", "net", "largest"):
            curve, levels = self.exceedance(of), self.levels(of)
            tables[f"exceedance_{of}"] = pa.table(
                dict(zip(("amount", "probability", "standard_error"), curve.T, strict=True))
            )
            names = ("level", "var", "var_error", "tvar", "tvar_error")
            tables[f"levels_{of}"] = pa.table(dict(zip(names, levels.T, strict=True)))
        written = []
        for name, table in tables.items():
            written.append(folder / f"{name}.parquet")
            pq.write_table(table, written[-1])
        return written

    def __repr__(self) -> str:
        gross, net = self.gross, self.net
        return (
            f"Outcome({self._dict['portfolio']!r}, {self._dict['years']:,} years, {self.unit}: "
            f"gross mean {gross['mean']:.4g}, TVaR 99 {gross['tvar99']:.4g}; "
            f"net mean {net['mean']:.4g}, TVaR 99 {net['tvar99']:.4g})"
        )
