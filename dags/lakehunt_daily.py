"""Every day: land what Defender delivered, check it, run all hunts as of the end of the day, and tell whom the
configuration names under `alerts`.

Each task is one spark-submit of a file in `jobs/`. Airflow needs neither Spark nor Lakehunt in its own environment,
only a spark-submit that it can start, and any of the tasks can be run again at any time.

Settings are Airflow Variables, read when a task runs:

    lakehunt_source        folder or glob of Streaming API blobs, as Spark reads it
    lakehunt_lake          where the tables are
    lakehunt_config        optional: path of a lakehunt.yaml
    lakehunt_spark_submit  optional: spark-submit and its options, split at spaces; where Lakehunt has a virtual
                           environment: env PYSPARK_PYTHON=/opt/lakehunt/bin/python /opt/lakehunt/bin/spark-submit ...

No secret belongs in any of them: Spark shows its options in its logs. Give credentials to Spark's own configuration.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import DAG, CronDataIntervalTimetable, Param

JOBS = Path(__file__).resolve().parents[1] / "jobs"
SPARK_SUBMIT = "spark-submit --packages io.delta:delta-spark_4.1_2.13:4.4.0"


def as_of(dag_run: Any, params: Mapping[str, Any]) -> str:
    """The moment that the hunts look back from: the parameter, else the end of the run's interval.

    A run that an asset or a person without a logical date has triggered has no interval, only a time of its own."""
    if params["as_of"]:
        return str(params["as_of"])
    moment: datetime = dag_run.data_interval_end or dag_run.run_after
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def spark_submit(job: str, arguments: str) -> BashOperator:
    """A task that runs `jobs/<job>.py`.

    Settings reach the shell as environment variables, never as text of the command, so that no value can become one.
    `exec` puts spark-submit in the shell's place: a task that is cancelled takes it along."""
    return BashOperator(
        task_id=job,
        bash_command=f'set -f; exec $SPARK_SUBMIT "$JOBS/{job}.py" --lake "$LAKE" {arguments}',
        env={
            "JOBS": str(JOBS),
            "SPARK_SUBMIT": "{{ var.value.get('lakehunt_spark_submit', default_spark_submit) }}",
            "LAKEHUNT_CONFIG": "{{ var.value.get('lakehunt_config', '') }}",
            "LAKE": "{{ var.value.lakehunt_lake }}",
            "SOURCE": "{{ var.value.lakehunt_source }}",
            "AS_OF": "{{ as_of(dag_run, params) }}",
        },
        append_env=True,
        skip_on_exit_code=None,
        do_xcom_push=False,
    )


with DAG(
    dag_id="lakehunt_daily",
    description="Land, check and hunt",
    doc_md=__doc__,
    # A day in UTC, run when it is over. What is delivered later is landed by the next run and still inside the hunts'
    # windows there.
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone="UTC"),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5), "execution_timeout": timedelta(hours=6)},
    params={
        "as_of": Param(
            None,
            type=["null", "string"],
            format="date-time",
            description="Hunt as of this moment instead of the end of the run's day",
        )
    },
    user_defined_macros={"as_of": as_of, "default_spark_submit": SPARK_SUBMIT},
    tags=["lakehunt"],
) as dag:
    (
        spark_submit("land", '"$SOURCE"')
        >> spark_submit("validate", "")
        >> spark_submit("hunt", '--as-of "$AS_OF" --alert')
    )
