#!/bin/bash
# What a container of the image runs: `lakehunt` with the arguments, unless they begin with the name of a program.
# Spark on Kubernetes starts its containers with `driver` or `executor`, and says the rest in variables.
set -euo pipefail

case "${1:-}" in
    driver)
        shift
        exec spark-submit --deploy-mode client --conf "spark.driver.bindAddress=$SPARK_DRIVER_BIND_ADDRESS" "$@"
        ;;
    executor)
        options=()
        for name in $(compgen -v SPARK_JAVA_OPT_ | sort -t_ -k4n); do options+=("${!name}"); done
        jars=$(python -c 'import pyspark, pathlib; print(pathlib.Path(pyspark.__file__).parent / "jars")')
        exec java ${options[@]+"${options[@]}"} -Xms"$SPARK_EXECUTOR_MEMORY" -Xmx"$SPARK_EXECUTOR_MEMORY" \
            -cp "${SPARK_CONF_DIR:+$SPARK_CONF_DIR:}$jars/*${SPARK_EXTRA_CLASSPATH:+:$SPARK_EXTRA_CLASSPATH}:$SPARK_DIST_CLASSPATH" \
            org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend \
            --driver-url "$SPARK_DRIVER_URL" --executor-id "$SPARK_EXECUTOR_ID" --cores "$SPARK_EXECUTOR_CORES" \
            --app-id "$SPARK_APPLICATION_ID" --hostname "$SPARK_EXECUTOR_POD_IP" \
            --resourceProfileId "$SPARK_RESOURCE_PROFILE_ID" --podName "$SPARK_EXECUTOR_POD_NAME"
        ;;
    lakehunt | spark-submit | python | bash | sh)
        exec "$@"
        ;;
    *)
        exec lakehunt "$@"
        ;;
esac
