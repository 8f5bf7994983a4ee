"""What the benchmarks share: a private cluster, an nginx, medians."""

import atexit
import os
import pwd
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / 'test/lib'))
from libpq import Connection  # noqa: E402

TICKS = os.sysconf('SC_CLK_TCK')
USER = os.environ.get('PH_USER', 'postgres')

os.chdir(ROOT)
work = Path(tempfile.mkdtemp(prefix='planthub-bench.', dir='/tmp'))
work.chmod(0o755)
atexit.register(shutil.rmtree, work, ignore_errors=True)
signal.signal(signal.SIGTERM, lambda *_: exit(1))


def free_port():
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        return s.getsockname()[1]


class Hub:
    """A cluster of its own with the extension; nothing in it is tuned but what is said in the report."""

    SETTINGS = ['shared_buffers = 1GB', 'max_wal_size = 8GB', 'checkpoint_timeout = 30min']

    def __init__(self, *settings, extensions=()):
        """extensions: source folders of others, to be built for this server."""
        subprocess.run(['make', '-s', '-j2', 'with_llvm=no', 'all'], check=True, stdout=subprocess.DEVNULL)
        self.port = free_port()
        quoted = ' '.join(f'"{s}"' for s in [*self.SETTINGS, *settings])
        install = ''.join(f'make -s -C {folder} install with_llvm=no PG_CONFIG=/usr/lib/postgresql/$PG_VERSION/bin/pg_config DESTDIR={work}/server >{work}/make.log 2>&1; '
                          for folder in extensions)
        self.shell(f'ph_server {work}; {install}PGPORT={self.port} ph_cluster {work} {quoted}')
        atexit.register(self.shell, f'ph_stop {work} immediate')
        self.connect('postgres').value('CREATE DATABASE bench')
        self.sql = self.connect()
        self.sql.rows('CREATE EXTENSION planthub')

    def shell(self, script):
        subprocess.run(['bash', '-ec', f'. test/lib/cluster.sh; {script}'], check=True)

    def connect(self, database='bench'):
        return Connection(f'host={work} port={self.port} user=postgres dbname={database}')

    def enable(self, on):
        """Lets the workers run, or stops them, so that a backlog can be built up."""
        self.sql.rows(f"ALTER SYSTEM SET planthub.enabled = {'on' if on else 'off'}")
        self.sql.rows('SELECT pg_reload_conf()')
        wait(lambda: bool(self.workers()) == on, 'workers to start or stop', 30)

    def workers(self):
        return [int(pid) for (pid,) in self.sql.rows("SELECT pid FROM pg_stat_activity WHERE backend_type LIKE 'planthub worker%'")]

    def worker_cpu(self):
        return sum(cpu_of(pid) for pid in self.workers())

    def worker_memory(self):
        """Memory of its own, without shared buffers, in MB."""
        total = 0
        for pid in self.workers():
            for line in Path(f'/proc/{pid}/status').read_text().splitlines():
                if line.startswith('RssAnon:'):
                    total += int(line.split()[1])
        return total / 1024


class Nginx:
    """Answers 204 to everything; one worker process, as unprivileged user."""

    def __init__(self):
        nginx = shutil.which('nginx') or '/usr/sbin/nginx'
        if not os.path.exists(nginx):
            raise SystemExit('nginx is missing: apt-get install nginx-light')
        self.port = free_port()
        self.url = f'http://127.0.0.1:{self.port}/events'
        folder = work / 'nginx'
        folder.mkdir()
        user = f'user {USER};' if os.geteuid() == 0 else ''
        paths = ' '.join(f'{kind}_temp_path {folder}/{kind};' for kind in ('client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'))
        (folder / 'conf').write_text(f'''
            worker_processes 1; worker_rlimit_nofile 20000; daemon off; {user} pid {folder}/pid; error_log {folder}/error.log;
            events {{ worker_connections 16384; }}
            http {{
                access_log off; keepalive_requests 1000000000; client_max_body_size 64m; {paths}
                server {{
                    listen 127.0.0.1:{self.port} backlog=4096;
                    location / {{ return 204; }}
                    location = /requests {{ stub_status; }}
                }}
            }}''')
        if os.geteuid() == 0:
            os.chown(folder, pwd.getpwnam(USER).pw_uid, -1)
        process = subprocess.Popen([nginx, '-c', folder / 'conf', '-e', folder / 'error.log'])
        atexit.register(lambda: (process.terminate(), process.wait()))
        wait(lambda: self.requests() is not None, 'nginx to start')

    def requests(self):
        try:
            with urllib.request.urlopen(f'http://127.0.0.1:{self.port}/requests') as answer:
                return int(answer.read().split()[9])
        except OSError:
            return None


def cpu_of(pid):
    fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def wait(condition, what, limit=600, pause=0.01):
    deadline = time.monotonic() + limit
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f'waited {limit} s for {what}')
        time.sleep(pause)


def median(values):
    return statistics.median(values)


def compile_c(source):
    program = work / Path(source).stem
    subprocess.run(['gcc', '-O2', '-Wall', '-o', program, source, '-lcurl'], check=True)
    return program
