# SPDX-License-Identifier: Apache-2.0
"""`./run bench`, on a small shop of a test build: its figures mean nothing, their form does."""

import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

from system_tests.local.free_ports import first_of_free_ports
from system_tests.running.whole_shop import BUILD, REPOSITORY

ENDS_WITHIN_S = 120
SMALL = ("--seconds", "0.1", "--repeat", "1", "--products", "200", "--clients", "16", "--grow", "0")
MEASURED = {"accepted_per_s", "confirmed_per_s", "p50_ms", "p90_ms", "p99_ms", "p999_ms"}


class Bench(unittest.TestCase):
    def bench(self, *words, environment=None):
        """Its exit code, what it printed, and its JSON."""
        with tempfile.TemporaryDirectory(prefix="freehold-system-") as directory:
            file = Path(directory) / "bench.json"
            done = subprocess.run(
                [REPOSITORY / "bench/run", "--build", BUILD, "--port", str(first_of_free_ports()),
                 "--json", file, *SMALL, *words], capture_output=True, text=True, check=False,
                timeout=ENDS_WITHIN_S, env={**os.environ, **(environment or {})})
            result = json.loads(file.read_text()) if file.exists() else None
        return done.returncode, done.stdout + done.stderr, result

    def test_its_json_has_machine_ceiling_and_every_scenario(self):
        code, said, result = self.bench()
        self.assertEqual(code, 0, said)
        self.assertLessEqual({"cores", "cpu", "disk", "kernel", "commit"}, result["machine"].keys())
        self.assertEqual(result["ceiling"]["differences"], [],
                         "bench/ceiling_rows.cc must write what an order of the shop writes")
        self.assertGreater(result["ceiling"]["orders_per_s"], 0)
        scenarios = result["scenarios"]
        self.assertGreater(scenarios["uniform"]["confirmed_per_s"], 0)
        for name in ("idle", "uniform", "crowd", "hot", "zipf_08", "zipf_12", "mixed", "gateway",
                     "half_load", "log_in_flood", "growth"):
            self.assertLessEqual(MEASURED, scenarios[name].keys(), name)
        for name in ("uniform", "hot", "zipf_08", "zipf_12", "sold_out"):
            self.assertIn("ceiling_ratio", scenarios[name], name)
        for name in ("product", "product_page", "search", "own_orders"):
            self.assertIn("empty_ratio", scenarios[f"read_{name}"], name)
        self.assertEqual(scenarios["sold_out"]["confirmed_per_s"], 0)
        self.assertIn("answered_per_s", scenarios["log_ins"])
        self.assertGreater(result["memory_mb"]["order"]["at_rest"], 0)

    def test_no_rate_is_printed_of_a_shop_that_broke_an_invariant(self):
        code, said, result = self.bench(
            "--only", "uniform", environment={"FREEHOLD_PLANTED_BUG": "replica.update_lost:50"})
        self.assertEqual(code, 1, said)
        self.assertIn("7: ", result["violations"])
        self.assertEqual(result["scenarios"], {})
        self.assertNotIn("uniform", said)

    def test_the_scale_profile_is_measured_with_its_instances_and_beside_its_own_ceiling(self):
        # Long enough for a commit of the server, whatever else it and the cores have to do.
        code, said, result = self.bench("--profile", "scale", "--only", "uniform", "--seconds", "1")
        self.assertEqual(code, 0, said)
        self.assertIn("order × 2", said)
        self.assertGreater(result["ceiling"]["orders_per_s"], 0)
        self.assertGreater(result["scenarios"]["uniform"]["confirmed_per_s"], 0)


if __name__ == "__main__":
    unittest.main()
