"""The plant of the demo with its systems as programs of their own, for tests and for the demo: who starts, who kills whom, what
was said and what arrived.  Configuration is in demo/plant.sql, what each system answers to in demo/systems."""

import atexit
import json
import os
import subprocess
import urllib.request
from urllib.parse import unquote

from hub import LIMIT, shell, soon
from scenario import Plant

ROLES = ('erp', 'mes', 'wms', 'qms', 'eam', 'scada', 'office')
OPEN = "SELECT count(*) FROM planthub.delivery_status WHERE state NOT IN ('delivered', 'parked', 'dead', 'discarded', 'expired')"


class System:
    """A program that plays one system: test/peers/plant.  It keeps its port and its files when it is started again."""

    def __init__(self, role, folder, database, as_role=None, delay=0):
        self.role, self.database, self.as_role, self.delay = role, database, as_role or role, delay
        self.record, self.journal, self.log = (folder / f'{role}.{what}' for what in ('received', 'journal', 'log'))
        self.record.touch()
        self.port, self.control_port = (int(shell('ph_free_port')) for _ in range(2))
        self.process = None
        atexit.register(self.kill)
        self.start()

    @property
    def url(self):
        return f'http://127.0.0.1:{self.port}'

    def start(self):
        self.process = subprocess.Popen(
            ['test/peers/plant', '--delay', str(self.delay), '--port', str(self.port), '--control', str(self.control_port), '--script', f'demo/systems/{self.role}.json',
             '--record', self.record, '--journal', self.journal, '--behaviour', 'sap' if self.role == 'erp' else 'ok',
             '--database', f'host={os.environ["PGHOST"]} port={os.environ["PGPORT"]} user={self.as_role} dbname={self.database} connect_timeout=5'],
            stdout=subprocess.PIPE, stderr=self.log.open('a'), text=True)
        for _ in range(2):
            if not self.process.stdout.readline():
                raise RuntimeError(f'the {self.role} does not start:\n{self.log.read_text()}')

    def kill(self):
        """kill -9"""
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def control(self, **order):
        request = urllib.request.Request(f'http://127.0.0.1:{self.control_port}/_control', data=json.dumps(order).encode() if order else None)
        with urllib.request.urlopen(request, timeout=LIMIT) as answer:
            return json.loads(answer.read())

    def say(self, *reports):
        self.control(say=reports)

    def received(self, end=''):
        """Requests to paths with this end, in the order in which they came."""
        requests = (json.loads(line) for line in self.record.read_text().splitlines())
        return [request for request in requests if request['path'].partition('?')[0].endswith(end)]

    def reports(self):
        """What it reported, in that order: its event, the request that led to it, failed tries, and the answer."""
        result = {}
        for line in self.journal.read_text().splitlines():
            line = json.loads(line)
            report = result.setdefault(line['report'], {'failed': []})
            if 'failed' in line:
                report['failed'].append(line['failed'])
            else:
                report.update({'answered' if name == 'time' and 'outcome' in line else name: value for name, value in line.items()})
        return list(result.values())

    def answers(self, event):
        return [(report.get('outcome'), report.get('code')) for report in self.reports() if report['event']['id'] == event]


def identity(request):
    """Source, id and endpoint of the event that a request is about."""
    fact, _, endpoint = request['headers']['idempotency-key'].strip('"').rpartition('@')
    source, _, event = fact.partition('#')
    return unquote(source), unquote(event), endpoint


class Day:
    """All systems of one plant, around one database.  delay: milliseconds until they answer."""

    def __init__(self, hub, folder, delay=0):
        folder.mkdir(exist_ok=True)
        self.hub, self.folder = hub, folder
        self.systems = {role: System(role, folder, hub.database, 'supplier' if role == 'office' else None, delay) for role in ROLES}
        hub.sql('\n'.join([*(rf'\set {role} {system.url}' for role, system in self.systems.items()), r'\i demo/plant.sql']))

    def __getattr__(self, role):
        try:
            return self.systems[role]
        except KeyError:
            raise AttributeError(role) from None

    def stocktaking(self):
        """ERP and WMS report what there is; returns what was not applied."""
        facts = Plant(None).stocktaking()
        for kind in ('erp', 'wms'):
            self.systems[kind].say(*(event for of, event in facts if of == kind))
            self.quiet()
        return [report for kind in ('erp', 'wms') for report in self.systems[kind].reports() if report.get('outcome') != 'applied']

    def at_rest(self):
        """Whether nothing is under way: every report has its answer, every delivery its end, and that at the same time.  What a
        delivery leads to is in a journal before it ends, what a report leads to is delivered only after it was answered."""
        try:
            before = [system.control() for system in self.systems.values()]
            still = self.hub.sql(OPEN) == '0'
            after = [system.control() for system in self.systems.values()]
        except (RuntimeError, OSError):
            return False        # the server or a system is just starting
        return still and all(a['unanswered'] == b['unanswered'] == 0 and a['reports'] == b['reports'] for a, b in zip(before, after))

    def quiet(self, limit=LIMIT):
        if not soon(self.at_rest, limit):
            raise RuntimeError('the plant does not come to rest:\n' + self.hub.sql('SELECT planthub.status()') + '\n' + '\n'.join(
                f'{role}: {report}' for role, system in self.systems.items() for report in system.reports() if 'outcome' not in report))

    def stop(self):
        for system in self.systems.values():
            system.kill()
