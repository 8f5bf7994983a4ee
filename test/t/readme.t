#!/usr/bin/env python3
"""What README.md tells newcomers to type does what it says."""

import re
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / 'lib'))
from hub import ROOT, Hub, equal, eventually, finish, ok, shell  # noqa: E402

text = (ROOT / 'README.md').read_text()
blocks = re.findall(r'^```sql\n(.*?)^```$', text, re.MULTILINE | re.DOTALL)
equal(len(blocks), 3, 'README.md has its three scripts')

hub = Hub()
hub.sql('DROP EXTENSION planthub')
port = shell('ph_free_port').strip()        # nobody listens there, as the text says of 8080
answers = [hub.sql(block.replace(':8080', f':{port}')) for block in blocks]
ok('mo:1000123' in answers[0], 'the first shows the story of the order', answers[0])
eventually(lambda: hub.sql('SELECT state FROM planthub.delivery_status'), 'retry', 'the delivery is in state "retry"')
ok('armed' in answers[1], 'the second shows what doctor() finds', answers[1])
equal(answers[2].splitlines()[-1].split('|')[:2], ['parked', 'ORDER_UNKNOWN'], 'the third report is parked')
for link in re.findall(r'\]\(([\w./-]+)\)', text):
    ok((ROOT / link).exists(), f'{link} exists')
for folder in re.findall(r'^\| (`[^|]*`) \|', text, re.MULTILINE):
    if 'planthub.' not in folder:
        for name in re.findall(r'`([\w/]+)`', folder):
            ok((ROOT / name).is_dir(), f'folder {name} exists')
finish()
