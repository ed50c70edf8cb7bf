"""Past days: all hunts as of the end of each day, in any order, several at once, and without alerts.

    airflow backfill create --dag-id lakehunt_backfill --from-date 2026-02-01 --to-date 2026-02-28

A backfill needs a schedule to have intervals; a run that the schedule itself makes is skipped. Settings: see
`lakehunt_tasks.py`.
"""

from __future__ import annotations

from airflow.sdk import DAG, CronDataIntervalTimetable

from lakehunt_tasks import AS_OF_PARAMS, SHARED, not_by_schedule, setting, spark_submit

with DAG(
    dag_id="lakehunt_backfill",
    description="Run all hunts as of the end of past days",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable(setting("backfill_schedule", "0 0 * * *"), timezone="UTC"),
    params=AS_OF_PARAMS,
    **SHARED,
) as dag:
    spark_submit("hunt", '--as-of "$AS_OF" --exclusions "$EXCLUSIONS"', pre_execute=not_by_schedule)
