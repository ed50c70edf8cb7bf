"""What the DAGs of Lakehunt share: every task is one spark-submit of a file in `jobs/`.

Airflow needs neither Spark nor Lakehunt in its own environment, only a spark-submit that it can start. Any task can be
run again at any time, beside others too.

Read when a task runs, all optional:

    Variable lakehunt_config        path of a lakehunt.yaml where the driver runs, given as --config; lake, source,
                                    hunts and alerts stand there
    Variable lakehunt_jobs          folder or URI of Lakehunt's jobs, as spark-submit reads it, such as
                                    local:///opt/lakehunt/jobs in an image; by default the folder `jobs` beside `dags`
    Variable lakehunt_lake          where the tables are, in place of the file's `lake`
    Variable lakehunt_source        folder or glob of Streaming API blobs, in place of the file's `source`
    Variable lakehunt_spark_submit  spark-submit and its options, quoted as in a shell; where Lakehunt has its own
                                    Python: env PYSPARK_PYTHON=/opt/lakehunt/bin/python /opt/lakehunt/bin/spark-submit
    Connection lakehunt_spark       of type Spark: the master as host and port; in the extra `deploy-mode`, `queue` and
                                    `conf`, a map of Spark's settings. Without it spark-submit chooses (local[*])

Read when the DAGs are parsed, from the section [lakehunt] of airflow.cfg (or AIRFLOW__LAKEHUNT__POOL and so on):

    pool                            of all tasks (default_pool)
    land_schedule                   cron (*/15 * * * *)
    hunt_schedule                   cron (*/5 * * * *); each hunt has as-ofs of its own, whatever this is
    backfill_schedule               cron (0 0 * * *); the as-of of a backfill's run is the end of its interval
    maintain_schedule               cron (0 3 * * 0)
    retries, retry_delay            of a task that fails, and seconds between them (2, 300)

Settings of the connection's `conf` reach spark-submit in a file that only the worker's user can read: a command line is
visible to every user of the machine, and the fields of a task to everyone who may see it. Still no secret belongs in
any of these: Airflow shows them to those who may edit them. Give credentials to Spark's own configuration.
"""

from __future__ import annotations

import re
import shlex
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from airflow.providers.standard.operators.bash import BashOperator
from airflow.sdk import Asset, Param
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowSkipException

JOBS = Path(__file__).resolve().parents[1] / "jobs"
SPARK_SUBMIT = "spark-submit --packages io.delta:delta-spark_4.1_2.13:4.4.0"
CONNECTION = "lakehunt_spark"

EVENTS = Asset("lakehunt_events", uri="lakehunt://events/device_process_events")
"""Has an event whenever a batch was landed and validated: schedule on it what reads the events table."""

_SECRET = re.compile(r"password|secret|token|credential|access.?key|account.key", re.IGNORECASE)


def setting(name: str, default: str) -> str:
    """A setting of the section [lakehunt]."""
    return str(conf.get("lakehunt", name, fallback=default))


_ON_KUBERNETES = (
    'while IFS= read -r line; do printf "%s\\n" "$line"; '
    '[[ $line != *"phase: Succeeded"* ]] || succeeded=yes; done < <(exec "${submit[@]}" 2>&1); '
    "wait $! || exit; [[ $succeeded ]] && exit; "
    'echo "spark-submit does not say that the driver has succeeded: see its pod\'s log (kubectl logs)"; exit 1'
)
"""In cluster mode on Kubernetes spark-submit returns 0 whatever becomes of the driver, and only its log, at level INFO,
tells. What does not say that it went well is a failure."""


class SparkSubmit(BashOperator):
    """A task that gives spark-submit the connection's settings in a file, which is removed when it ends."""

    def execute(self, context: Any) -> Any:
        settings = connection_settings(context["conn"])
        if not settings:
            return super().execute(context)
        with tempfile.TemporaryDirectory(prefix="lakehunt-") as folder:  # which nobody else may enter
            file = Path(folder, "spark.properties")
            file.write_text(properties(settings), encoding="ascii")
            self.env = {**(self.env or {}), "SETTINGS": str(file)}
            return super().execute(context)


def spark_submit(job: str, arguments: str = "", **operator: Any) -> BashOperator:
    """A task that runs `jobs/<job>.py`.

    Settings reach the shell as environment variables, never as text of the command, so that no value can become one.
    `exec` puts spark-submit in the shell's place: a task that is cancelled takes it along."""
    return SparkSubmit(
        task_id=job,
        bash_command=(
            'mapfile -t submit <<<"$SPARK_SUBMIT"; '
            'submit+=(${SETTINGS:+--properties-file "$SETTINGS" --load-spark-defaults} '
            f'"$JOBS/{job}.py" ${{CONFIG:+--config "$CONFIG"}} ${{LAKE:+--lake "$LAKE"}} {arguments}); '
            f'[[ $ON_KUBERNETES ]] || exec "${{submit[@]}}"; {_ON_KUBERNETES}'
        ),
        env={
            "JOBS": "{{ jobs(var.value.get('lakehunt_jobs', '')) }}",
            "SPARK_SUBMIT": "{{ words(var.value.get('lakehunt_spark_submit', default_spark_submit), conn) }}",
            "ON_KUBERNETES": "{{ 'yes' if on_kubernetes(var.value.get('lakehunt_spark_submit', ''), conn) else '' }}",
            "CONFIG": "{{ var.value.get('lakehunt_config', '') }}",
            "LAKE": "{{ var.value.get('lakehunt_lake', '') }}",
            "SOURCE": "{{ var.value.get('lakehunt_source', '') }}",
            "AS_OF": "{{ as_of(dag_run, params) }}",
            "DUE": "{{ '--due' if asks_what_is_due(dag_run, params) else '' }}",
            "EXCLUSIONS": "{{ params.get('exclusions') or '' }}",
            "ALERT": "{{ '' if dag_run.run_type == 'backfill' else '--alert' }}",
        },
        append_env=True,
        skip_on_exit_code=None,
        do_xcom_push=False,
        **operator,
    )


def as_of(dag_run: Any, params: Any) -> str:
    """The moment that the hunts look back from: the parameter, else the end of the run's interval.

    A run that an asset or a person without a logical date has triggered has no interval, only a time of its own."""
    if params.get("as_of"):
        return str(params["as_of"])
    moment: datetime = dag_run.data_interval_end or dag_run.run_after
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def asks_what_is_due(dag_run: Any, params: Any) -> bool:
    """Whether a run is neither a backfill nor about a moment of its own."""
    return not params.get("as_of") and dag_run.run_type != "backfill"


def not_by_schedule(context: Any) -> None:
    """Skips a run that neither a backfill nor a person has asked for."""
    if context["dag_run"].run_type == "scheduled":
        raise AirflowSkipException("only a backfill or a person asks for past days")


def jobs(place: str) -> str:
    """Where the jobs are: the Variable's place, else the folder beside `dags`, which has to be there."""
    if not place and not JOBS.is_dir():
        raise ValueError(
            f"Variable lakehunt_jobs: not set, and there is no folder {JOBS}; name Lakehunt's jobs with it"
        )
    return place.rstrip("/") or str(JOBS)


def words(command: str, connections: Any) -> str:
    """spark-submit with its options, one word a line: those of the command, then those of the connection.

    Raises ValueError for a setting of the connection that Airflow would show with its secret, and for a file of
    settings in the command beside settings of the connection."""
    options = shlex.split(command)
    connection = connections.get(CONNECTION, None)
    settings = connection_settings(connections)
    if connection is not None:
        extra = connection.extra_dejson
        if connection.host:
            options += ["--master", f"{connection.host}:{connection.port}" if connection.port else connection.host]
        for name in ("deploy-mode", "queue"):
            options += [f"--{name}", extra[name]] if name in extra else []
    if settings and any(option.startswith("--properties-file") for option in options):
        raise ValueError(f"connection {CONNECTION}: has conf, and lakehunt_spark_submit a --properties-file; use one")
    if not any(option.startswith("spark.log.level=") for option in options) and "spark.log.level" not in settings:
        options += ["--conf", "spark.log.level=WARN"]  # the log of a task is read by people who look for its error
    return "\n".join(options)


def on_kubernetes(command: str, connections: Any) -> bool:
    """Whether the driver is a pod."""
    options = words(command, connections).split("\n")
    master = any(option.removeprefix("--master=").startswith("k8s://") for option in options)
    return master and ("cluster" in options or "--deploy-mode=cluster" in options)


def connection_settings(connections: Any) -> dict[str, str]:
    """Spark's settings in the connection. Raises ValueError for one that is a secret by its name."""
    connection = connections.get(CONNECTION, None)
    settings: dict[str, str] = {} if connection is None else connection.extra_dejson.get("conf", {})
    for name in settings:
        if _SECRET.search(name):
            raise ValueError(f"connection {CONNECTION}: Airflow would show {name}; put it into spark-defaults.conf")
    return settings


def properties(settings: dict[str, str]) -> str:
    """The settings as a file of Java's properties, with every character escaped that may mean anything there."""
    return "".join(f"{_escaped(name)}={_escaped(str(value))}\n" for name, value in settings.items())


def _escaped(text: str) -> str:
    units = re.findall("....", text.encode("utf-16-be").hex())
    return "".join(f"\\u{unit}" for unit in units)


AS_OF_PARAMS = {
    "as_of": Param(
        None,
        type=["null", "string"],
        format="date-time",
        description="Ask all hunts as of this moment",
    ),
    "exclusions": Param(
        "current",
        enum=["current", "as-run", "now", "then"],  # the last two are former names of the first two
        description="As of a moment: the exclusions as they are now, or those that its first run used",
    ),
}
"""The parameters of DAGs that hunt."""

SHARED: dict[str, Any] = {
    "start_date": datetime.fromisoformat("2020-01-01T00:00:00+00:00"),  # no day before it can be backfilled
    "catchup": False,
    "max_active_runs": 1,
    "default_args": {
        "retries": int(setting("retries", "2")),
        "retry_delay": timedelta(seconds=int(setting("retry_delay", "300"))),
        "execution_timeout": timedelta(hours=6),
        "pool": setting("pool", "default_pool"),
    },
    "user_defined_macros": {
        "as_of": as_of,
        "asks_what_is_due": asks_what_is_due,
        "jobs": jobs,
        "on_kubernetes": on_kubernetes,
        "words": words,
        "default_spark_submit": SPARK_SUBMIT,
    },
    "tags": ["lakehunt"],
}
"""What every DAG is made with."""
