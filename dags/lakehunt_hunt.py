"""Every day: run all hunts as of the end of the day, and tell whom the configuration names under `alerts`.

A hunt that fails fails the task, after all others have run. An event that lands after its day's run is found only by
hunts whose window reaches back to it in a later run; for the others, run that day again. `airflow backfill create
--dag-id lakehunt_hunt` computes past days, in any order, and alerts nobody. Settings: see `lakehunt_tasks.py`.
"""

from __future__ import annotations

from airflow.sdk import DAG, CronDataIntervalTimetable, Param

from lakehunt_tasks import SHARED, setting, spark_submit

with DAG(
    dag_id="lakehunt_hunt",
    description="Run all hunts as of the end of the day",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable(setting("hunt_schedule", "0 0 * * *"), timezone="UTC"),
    params={
        "as_of": Param(
            None,
            type=["null", "string"],
            format="date-time",
            description="Hunt as of this moment instead of the end of the run's day",
        ),
        "exclusions": Param(
            "current",
            enum=["current", "as-run", "now", "then"],  # the last two are former names of the first two
            description="The exclusions as they are now, or, for a past day, those that its first run used",
        ),
    },
    **SHARED,
) as dag:
    spark_submit("hunt", '--as-of "$AS_OF" --exclusions "$EXCLUSIONS" $ALERT')
