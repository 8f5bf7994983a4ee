"""What test programs share: a private server with the extension, peers that speak HTTP, TAP, and waiting without sleeping."""

import atexit
import copy
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
LIMIT = 60                      # seconds until what must happen has happened; the machine may be loaded

os.chdir(ROOT)
work = Path(tempfile.mkdtemp(prefix='planthub.'))
work.chmod(0o755)
atexit.register(shutil.rmtree, work, ignore_errors=True)
tests = failures = 0


def ok(good, name, *notes):
    """One test; notes are shown when it fails."""
    global tests, failures
    tests += 1
    failures += not good
    print(f'{"ok" if good else "not ok"} {tests} - {name}')
    for note in [] if good else notes:
        for line in str(note).splitlines() or ['']:
            print(f'#   {line}')
    return good


def equal(got, expected, name):
    return ok(got == expected, name, f'got:      {got!r}', f'expected: {expected!r}')


def soon(condition, limit=LIMIT):
    """Whether it becomes true in time."""
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def eventually(get, expected, name, limit=LIMIT):
    """One test: that get() comes to be what is expected; a function tells whether it is."""
    last = [None]

    def reached():
        last[0] = get()
        return expected(last[0]) if callable(expected) else last[0] == expected

    good = soon(reached, limit)
    return ok(good, name, f'got:      {last[0]!r}', f'expected: {"something else" if callable(expected) else repr(expected)}')


def finish():
    print(f'1..{tests}')
    sys.exit(0)


def shell(script):
    return subprocess.run(['bash', '-ec', f'. test/lib/cluster.sh; {script}'], check=True, capture_output=True, text=True).stdout


class Hub:
    """A cluster with a database that has the extension."""

    def __init__(self, *settings, database='hub'):
        self.database = database
        quoted = ' '.join(f'"{setting}"' for setting in ('fsync = off', *settings))
        host, port, path = shell(f'ph_server {work} && ph_cluster {work} {quoted} >&2; printf "%s\\n" "$PGHOST" "$PGPORT" "$PATH"').split()
        os.environ.update(PGHOST=host, PGPORT=port, PGUSER='postgres', PATH=path)
        atexit.register(self.stop, 'immediate')
        self.sql(f'CREATE DATABASE {database}', 'postgres')
        self.sql('CREATE EXTENSION planthub')

    def sibling(self, database):
        """Another database with the extension in the same cluster."""
        result = copy.copy(self)
        result.database = database
        self.sql(f'CREATE DATABASE {database}', 'postgres')
        result.sql('CREATE EXTENSION planthub')
        return result

    def stop(self, mode='fast'):
        shell(f'ph_stop {work} {mode}')

    def sql(self, statement, database=None):
        """Runs statements, each a transaction of its own unless they say otherwise; returns the output, '|' between columns."""
        done = subprocess.run(['psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-v', 'VERBOSITY=verbose', '-d', database or self.database],
                              input=statement, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f'{statement}\n{done.stderr}')
        return done.stdout.strip()

    def session(self, statements):
        """A session that stays open; more can be written to its stdin."""
        process = subprocess.Popen(['psql', '-XAtq', '-d', self.database], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        atexit.register(lambda: (process.kill(), process.wait()))
        process.stdin.write(statements + '\n')
        process.stdin.flush()
        return process

    def json(self, query):
        """The rows of a query as dictionaries."""
        return json.loads(self.sql(f'SELECT coalesce(json_agg(q), \'[]\') FROM ({query}) AS q'))

    def row(self, query):
        rows = self.json(query)
        return rows[0] if rows else None

    def set(self, **settings):
        for name, value in settings.items():
            self.sql(f"ALTER SYSTEM SET planthub.{name} = '{value}'")
        self.sql('SELECT pg_reload_conf()')

    def is_down(self):
        return not (work / 'data/postmaster.pid').exists()

    def configure(self, **settings):
        """Changes settings of a server that is down."""
        with open(work / 'data/postgresql.auto.conf', 'a') as file:
            file.writelines(f"planthub.{name} = '{value}'\n" for name, value in settings.items())

    def start(self):
        shell(f'ph_start {work}')

    def log(self):
        return (work / 'server.log').read_text(errors='replace')


class Peer:
    """A target: test/peers/peer, with its control port."""

    count = 0

    def __init__(self, port=0, black_hole=False, record=True):
        Peer.count += 1
        self.record = work / f'peer{Peer.count}.record'
        arguments = ['--black-hole'] if black_hole else ['--control', '0', *(['--record', self.record] if record else [])]
        self.process = subprocess.Popen(['test/peers/peer', '--port', str(port), *arguments], stdout=subprocess.PIPE, text=True)
        atexit.register(self.kill)
        self.port = int(self.process.stdout.readline())
        self.control_port = None if black_hole else int(self.process.stdout.readline())

    def url(self, path='/'):
        return f'http://127.0.0.1:{self.port}{path}'

    def control(self, **order):
        """Gives an order, if any, and tells what the peer has seen."""
        request = urllib.request.Request(f'http://127.0.0.1:{self.control_port}/_control',
                                         data=json.dumps(order).encode() if order else None)
        with urllib.request.urlopen(request, timeout=LIMIT) as answer:
            return json.loads(answer.read())

    def received(self, path=None):
        """What it got, one dictionary for each event."""
        if not self.record.exists():
            return []
        lines = [json.loads(line) for line in self.record.read_text().splitlines()]
        return [line for line in lines if path in (None, line['path'])]

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
