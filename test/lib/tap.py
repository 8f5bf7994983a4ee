"""Reads the Test Anything Protocol, as printed by our test programs."""

import re

TEST = re.compile(r'^(not )?ok\b[ \t]*\d*(.*)$')
PLAN = re.compile(r'^1\.\.(\d+)(?:\s*#\s*(?i:skip)\S*\s*(.*))?')
SKIP = re.compile(r'#\s*skip', re.IGNORECASE)


class Tap:
    """What one program said.  Several streams may follow each other, each with its own plan."""

    def __init__(self, text):
        self.passed = self.skipped = 0
        self.failures = []          # one text per failed test, with the diagnostics that follow it
        self.skip_reason = None
        planned = plans = seen = 0
        for line in text.splitlines():
            test, plan = TEST.match(line), PLAN.match(line)
            if test:
                seen += 1
                if test.group(1):
                    self.failures.append(line)
                elif SKIP.search(test.group(2)):
                    self.skipped += 1
                else:
                    self.passed += 1
                failing = bool(test.group(1))
            elif plan:
                plans += 1
                planned += int(plan.group(1))
                if plan.group(1) == '0':
                    self.skip_reason = plan.group(2) or 'no reason given'
            elif line.startswith('Bail out!'):
                self.failures.append(line)
            elif seen and failing and line.startswith('#'):
                self.failures[-1] += '\n' + line
        if not plans:
            self.failures.append('no plan: the program may have died before its last test')
        elif planned != seen:
            self.failures.append(f'planned {planned} tests, but ran {seen}')
