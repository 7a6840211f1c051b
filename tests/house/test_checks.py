#!/usr/bin/env python3
"""The house checks can fail: each is shown a small tree with one thing wrong in it."""
import os
import sys
import tempfile
import unittest

import deploy
import limits
import readme
import rooms
import tree
import words


class Checks(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.root = self.folder.name
        self.addCleanup(self.folder.cleanup)

    def put(self, path: str, text: str) -> None:
        full = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as f:
            f.write(text)

    def complaints(self, check) -> list[str]:
        return list(check.check(self.root))

    def test_a_lawful_include_is_no_complaint(self):
        self.put("src/core/a.c", '#include "base/str.h"\n#include "core/job.h"\n#include <string.h>\n')
        self.assertEqual(self.complaints(rooms), [])

    def test_an_include_upward_is_seen(self):
        self.put("src/core/a.c", '#include "store/store.h"\n')
        self.assertEqual(self.complaints(rooms), ['src/core/a.c: core may not include "store/store.h"'])

    def test_an_include_of_a_sibling_is_seen(self):
        self.put("src/llm/a.h", '#  include "store/store.h"\n')
        self.assertEqual(len(self.complaints(rooms)), 1)

    def test_a_vendor_header_in_a_foreign_room_is_seen(self):
        self.put("src/llm/a.c", "#include <curl/curl.h>\n")
        self.assertIn("belongs to io", self.complaints(rooms)[0])

    def test_a_system_header_of_io_in_a_pure_room_is_seen(self):
        self.put("src/core/a.c", "#include <time.h>\n")
        self.assertIn("core is pure", self.complaints(rooms)[0])

    def test_a_room_that_is_not_in_the_table_is_seen(self):
        self.put("src/attic/a.c", "int x;\n")
        self.assertIn("no room", self.complaints(rooms)[0])

    def test_main_may_name_only_the_commands(self):
        self.put("src/main.c", '#include "worker/worker.h"\n')
        self.assertEqual(len(self.complaints(rooms)), 1)

    def function(self, lines: int) -> str:
        return "int f(void);\nint f(void)\n{\n" + "    g();\n" * (lines - 4) + "    return 0;\n}\n"

    def test_a_long_function_is_noted_and_a_very_long_one_fails(self):
        self.put("src/base/a.c", self.function(70))
        self.assertEqual(self.complaints(limits), [])
        self.put("src/base/a.c", self.function(71))
        self.assertEqual(self.complaints(limits), ["note: src/base/a.c:2: f() has 71 lines"])
        self.put("src/base/a.c", self.function(101))
        self.assertEqual(self.complaints(limits), ["src/base/a.c:2: f() has 101 lines"])

    def test_a_long_file_fails(self):
        self.put("src/base/a.c", "/* */\n" * 1001)
        self.assertEqual(self.complaints(limits), ["src/base/a.c: 1001 lines"])

    def test_a_prototype_without_a_word_is_seen(self):
        self.put("src/base/a.h", "/** Says what. */\nint f(void);\nint same_group(void);\n\nint bare(void);\n")
        found = self.complaints(limits)
        self.assertEqual(found[0], "src/base/a.h:5: bare() is not documented")
        self.assertEqual(len(found), 2)

    def test_unfinished_business_is_seen(self):
        self.put("src/base/a.c", "/* TO" + "DO */\n")
        self.assertEqual(len(self.complaints(words)), 1)

    def test_a_metric_that_nothing_measures_is_seen(self):
        self.put("src/api/a.c", 'x("stumper_jobs{state=", "# TYPE stumper_call_seconds histogram");\n')
        self.put("deploy/a.yml", "expr: stumper_jobs{} > rate(stumper_call_seconds_bucket[5m]) / stumper_calls_total{}\n")
        self.assertEqual(list(readme.check_metrics(self.root)), ["deploy/a.yml: nothing measures stumper_calls_total"])

    def test_a_sum_of_what_each_process_tells_of_the_whole_store_is_seen(self):
        self.put("src/api/a.c", 'x("stumper_jobs{state=");\n')
        self.put("deploy/a.yml", "expr: sum(max by (state) (stumper_jobs{}))\n")
        self.put("deploy/b.json", "sum by (state) (stumper_jobs{})\n")
        self.assertEqual(list(readme.check_metrics(self.root)), ["deploy/b.json: stumper_jobs is the whole store's already: max() instead of sum()"])

    def runs(self, **flags: set) -> deploy.Runs:
        runs = deploy.Runs.__new__(deploy.Runs)
        runs.flags = flags
        return runs

    def test_a_command_or_flag_that_does_not_exist_is_seen_in_deploy(self):
        self.put("deploy/a.yaml", "kind: Job\nmetadata: {name: a}\nspec:\n  containers:\n"
                                  "    - {image: 'stumper:1', args: [work]}\n    - {image: stumper, args: [worker, --slow]}\n")
        self.put("deploy/b.service", "ExecStart=/usr/bin/stumper serve\nTimeoutStopSec=20s\n")
        runs = self.runs(worker={"drain"}, serve=set())
        found = list(deploy.check_yaml(self.root, runs)) + list(deploy.check_units(self.root, "/bin/true", runs))
        self.assertIn("deploy/a.yaml: Job a: there is no `stumper work`", found)
        self.assertIn("deploy/a.yaml: Job a: `stumper worker` has no --slow", found)
        self.assertIn("deploy/b.service: 20 s are not longer than the --drain of `stumper serve`, 30 s", found)

    def test_a_secret_in_a_compose_file_and_what_is_no_yaml_are_seen(self):
        self.put("deploy/a.yaml", "services:\n  x: {image: y, environment: {A_PASSWORD: secret, B_PASSWORD: '${B:-}'}}\n")
        self.put("deploy/b.yml", "a: [\n")
        found = list(deploy.check_yaml(self.root, self.runs()))
        self.assertEqual(found[0], "deploy/a.yaml: x: A_PASSWORD does not come from the environment")
        self.assertIn("deploy/b.yml: no YAML", found[1])

    def test_trailing_blanks_and_a_missing_line_end_are_seen(self):
        self.put("src/base/a.c", "int x; \nint y;")
        self.assertEqual(len(self.complaints(words)), 2)

    def test_what_is_built_or_fetched_is_not_looked_at(self):
        self.put("node_modules/x/a.c", "TO" + "DO")
        self.put("build-check/a.c", "TO" + "DO")
        self.assertEqual(tree.files(self.root), [])


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]])
