"""Runs the daily DAG once, for real: python run_daily.py DAG_FILE LOGICAL_DATE|none [JSON OF PARAMETERS].

A process of its own, because Airflow reads its home when it is imported. Prints the run's state as its last line.
"""

from __future__ import annotations

import json
import runpy
import sys
from datetime import datetime

from airflow.utils.db import initdb

file, logical_date, *conf = sys.argv[1:]
initdb()
dag = runpy.run_path(file)["dag"]
for task in dag.tasks:
    task.retries = 0  # a failure is to be seen now, not in ten minutes
run = dag.test(
    logical_date=None if logical_date == "none" else datetime.fromisoformat(logical_date),
    run_conf=json.loads(conf[0]) if conf else None,
)
print(run.state)
