"""Every quarter of an hour: land what Defender has delivered, check it, and let good events in.

A batch that a critical expectation refuses fails `validate`, whose log names the expectation and its page in Data Docs.
Nothing of the batch is seen by hunts; the next run tries it again. Settings: see `lakehunt_tasks.py`.
"""

from __future__ import annotations

from airflow.sdk import DAG, CronTriggerTimetable

from lakehunt_tasks import EVENTS, SHARED, setting, spark_submit

with DAG(
    dag_id="lakehunt_land",
    description="Land and check what was delivered",
    doc_md=__doc__,
    schedule=CronTriggerTimetable(setting("land_schedule", "*/15 * * * *"), timezone="UTC"),
    **SHARED,
) as dag:
    spark_submit("land", '${SOURCE:+"$SOURCE"}') >> spark_submit("validate", outlets=[EVENTS])
