"""The package as an analyst uses it. Run: python -m unittest discover python/tests"""

import json
import pathlib
import tempfile
import threading
import unittest

import numpy as np

import breakwater


class Reference(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.portfolio = breakwater.example("cp500")
        cls.outcome = breakwater.run(cls.portfolio, years=400_000, seed=7)

    def test_figures_are_those_of_the_reference_job(self):
        # Exact values of the reference job by Fourier inversion.
        exact = {"mean": 4.53670, "sd": 5.08420, "var99": 23.335, "var995": 26.925, "tvar99": 28.5428}
        for key, value in exact.items():
            error = self.outcome.standard_errors["gross"][key]
            self.assertGreater(error, 0.0)
            self.assertLess(abs(self.outcome.gross[key] - value), 4 * error, key)

    def test_arrays_have_the_documented_shapes(self):
        allocation = self.outcome.allocation
        self.assertEqual((allocation.shape, allocation.dtype), ((500,), np.float64))
        self.assertEqual(self.outcome.standard_errors["allocation"].shape, (500,))
        self.assertEqual(self.outcome.exceedance("net").shape[1], 3)
        self.assertEqual(self.outcome.levels().shape, (len(breakwater.LEVELS), 5))
        self.assertFalse(np.isnan(allocation).any())

    def test_parts_sum_to_the_whole(self):
        self.assertAlmostEqual(self.outcome.allocation.sum(), self.outcome.gross["tvar99"], places=6)

    def test_digits_do_not_depend_on_threads(self):
        one, two = (breakwater.run(self.portfolio, 50_000, 3, threads).to_dict() for threads in (1, 2))
        one.pop("seconds"), two.pop("seconds")
        self.assertEqual(json.dumps(one), json.dumps(two))

    def test_tables_are_parquet(self):
        try:
            import pyarrow.parquet as pq
        except ImportError:
            self.skipTest("pyarrow is not installed")
        with tempfile.TemporaryDirectory() as folder:
            self.outcome.write_tables(folder)
            table = pq.read_table(pathlib.Path(folder) / "allocation.parquet")
            self.assertEqual(table.num_rows, 500)
            np.testing.assert_array_equal(table["tvar99"].to_numpy(), self.outcome.allocation)

    def test_other_threads_run_meanwhile(self):
        ticks = []
        stop = threading.Event()

        def tick():
            while not stop.wait(0.001):
                ticks.append(1)

        other = threading.Thread(target=tick)
        other.start()
        breakwater.run(self.portfolio, 1_000_000, 1, 1)
        stop.set()
        other.join()
        self.assertGreater(len(ticks), 5)


class BadInput(unittest.TestCase):
    def test_a_fault_names_its_place(self):
        text = breakwater.example("cp500").to_toml().replace("rate = 0.005", "rate = -0.005", 1)
        with self.assertRaisesRegex(ValueError, 'product "p000".rate: -0.005; it must be'):
            breakwater.loads(text)

    def test_what_cannot_be_run_is_refused(self):
        portfolio = breakwater.example("cp500")
        for arguments, message in [
            ({"years": 0}, "0 years; ask for at least 1"),
            ({"threads": 0}, "threads: 0"),
        ]:
            with self.assertRaisesRegex(ValueError, message):
                breakwater.run(portfolio, **{"years": 10, **arguments})
        with self.assertRaises(OverflowError):
            breakwater.run(portfolio, seed=-1)
        with self.assertRaisesRegex(KeyError, "cp500"):
            breakwater.example("cp501")
        with self.assertRaisesRegex(ValueError, "gross"):
            breakwater.run(portfolio, 1_000).exceedance("grosss")

    def test_documents_go_round(self):
        portfolio = breakwater.example("cp500")
        again = breakwater.loads(portfolio.to_toml())
        self.assertEqual(again.hash, portfolio.hash)
        self.assertEqual(breakwater.loads(again.to_json()).hash, portfolio.hash)


if __name__ == "__main__":
    unittest.main()
