"""Every quarter of an hour: land what Defender has delivered, check it, and let good events in.

A file that cannot be landed fails `land`; `validate` runs nevertheless. A batch that a critical expectation refuses
fails `validate`, whose log names the expectation and its page in Data Docs. Nothing of the batch is seen by hunts; the
next run tries it again. Settings: see `lakehunt_tasks.py`.
"""

from __future__ import annotations

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, CronTriggerTimetable

from lakehunt_tasks import EVENTS, SHARED, setting, spark_submit

with DAG(
    dag_id="lakehunt_land",
    description="Land and check what was delivered",
    doc_md=__doc__,
    schedule=CronTriggerTimetable(setting("land_schedule", "*/15 * * * *"), timezone="UTC"),
    **SHARED,
) as dag:
    land = spark_submit("land", '${SOURCE:+"$SOURCE"}')
    # A file that cannot be landed fails `land`, and must not keep what was landed from being validated.
    land >> spark_submit("validate", outlets=[EVENTS], trigger_rule="all_done")
    # A run has the state of its last tasks: this one fails if `land` did.
    land >> EmptyOperator(task_id="landed")
