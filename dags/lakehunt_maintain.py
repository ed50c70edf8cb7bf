"""Every week: delete what is past its retention, compact tables, VACUUM. Safe beside running jobs.

Settings: see `lakehunt_tasks.py`; what is kept how long: `retention` in the lakehunt.yaml.
"""

from __future__ import annotations

from airflow.sdk import DAG, CronTriggerTimetable

from lakehunt_tasks import SHARED, setting, spark_submit

with DAG(
    dag_id="lakehunt_maintain",
    description="Retention, compaction, VACUUM",
    doc_md=__doc__,
    schedule=CronTriggerTimetable(setting("maintain_schedule", "0 3 * * 0"), timezone="UTC"),
    **SHARED,
) as dag:
    spark_submit("maintain")
