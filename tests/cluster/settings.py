"""Prints what came of some settings, as JSON: a job for spark-submit, or for Python alone."""

import json

from lakehunt import config
from lakehunt.runtime import session

if __name__ == "__main__":
    spark = session.start(config.load())
    hadoop = spark._jsc.hadoopConfiguration()
    told = {key: value for key, value in spark.sparkContext.getConf().getAll() if key.startswith("spark.")}
    print(json.dumps({"spark": told, "endpoint": hadoop.get("fs.s3a.endpoint")}))
    spark.stop()
