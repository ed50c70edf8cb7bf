"""Every five minutes: ask each hunt at the as-ofs of its own `queryFrequency` at which it is due, and tell whom the
configuration names under `alerts`.

A run costs what new events and due hunts cost; where nothing is due it ends at once. After an outage the as-ofs that
were missed are asked, in order, up to `hunting.catch_up` of the configuration. A hunt that fails fails the task, after
all others have run; it is asked again by a retry or the next run, three times in all.

With the parameter `as_of`, a run asks all hunts at that moment instead. Past days: `lakehunt_backfill`. Settings: see
`lakehunt_tasks.py`.
"""

from __future__ import annotations

from airflow.sdk import DAG, CronDataIntervalTimetable

from lakehunt_tasks import AS_OF_PARAMS, SHARED, setting, spark_submit

with DAG(
    dag_id="lakehunt_hunt",
    description="Ask hunts that are due",
    doc_md=__doc__,
    schedule=CronDataIntervalTimetable(setting("hunt_schedule", "*/5 * * * *"), timezone="UTC"),
    params=AS_OF_PARAMS,
    **SHARED,
) as dag:
    spark_submit("hunt", '${DUE:---as-of "$AS_OF" --exclusions "$EXCLUSIONS"} $ALERT')
