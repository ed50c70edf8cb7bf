"""Special functions of mathematics. Source: learn.microsoft.com/kusto/query/scalar-functions (mathematical functions);
what they are outside of their domain is the engine's answer.

Apache Commons Math, which Spark brings along, computes them."""

from __future__ import annotations

from pyspark.sql import Column

from lakehunt.kql.catalog import NUMBER
from lakehunt.kql.types import REAL
from lakehunt.spark.columns import F
from lakehunt.spark.functions.compiled import java_function
from lakehunt.spark.functions.registry import scalar
from lakehunt.spark.functions.strings import refuse
from lakehunt.spark.values import named

NAN = float("nan")


def _of(name: str, *values: Column) -> Column:
    numbers = F.array(*(value.cast("double") for value in values))
    known = F.forall(numbers, lambda number: number.isNotNull())

    def checked(found: Column) -> Column:
        return refuse(known & found.isNull(), f"{name} of such numbers is not supported", found)

    return named(java_function(name, "double", numbers), checked)


for _name in ("erf", "erfc"):
    scalar(_name, NUMBER, returns=REAL)(lambda value, name=_name: _of(name, value))


def _of_positive(name: str, value: Column) -> Column:
    return refuse(value <= 0, f"{name} of a number that is not positive is not supported", _of(name, value))


@scalar("gamma", NUMBER, returns=REAL)
def gamma(value: Column) -> Column:
    return _of_positive("gamma", value)


@scalar("loggamma", NUMBER, returns=REAL)
def loggamma(value: Column) -> Column:
    return _of_positive("loggamma", value)


def _outside(value: Column) -> Column:
    return (value < 0) | (value > 1)


def _proper(name: str, alpha: Column, beta: Column, value: Column) -> Column:
    return refuse((alpha <= 0) | (beta <= 0), f"{name} with a parameter that is not positive is not supported", value)


@scalar("beta_cdf", NUMBER, NUMBER, NUMBER, returns=REAL)
def beta_cdf(value: Column, alpha: Column, beta: Column) -> Column:
    """NaN outside of 0 to 1; 1 for a negative alpha, as in the engine, but not in its documentation."""
    inside = F.when(alpha < 0, 1.0).otherwise(_proper("beta_cdf", alpha, beta, _of("beta_cdf", value, alpha, beta)))
    return F.when(_outside(value), NAN).otherwise(inside)


@scalar("beta_pdf", NUMBER, NUMBER, NUMBER, returns=REAL)
def beta_pdf(value: Column, alpha: Column, beta: Column) -> Column:
    """NaN outside of 0 to 1, and for a negative alpha."""
    inside = _proper("beta_pdf", alpha, beta, _of("beta_pdf", value, alpha, beta))
    return F.when(_outside(value) | (alpha < 0), NAN).otherwise(inside)


@scalar("beta_inv", NUMBER, NUMBER, NUMBER, returns=REAL)
def beta_inv(probability: Column, alpha: Column, beta: Column) -> Column:
    found = _proper("beta_inv", alpha, beta, _of("beta_inv", probability, alpha, beta))
    unknown = (probability <= 0) | (probability > 1)
    return refuse(unknown, "beta_inv of a number that is not a probability is not supported", found)


@scalar("welch_test", NUMBER, NUMBER, NUMBER, NUMBER, NUMBER, NUMBER, returns=REAL)
def welch_test(*moments: Column) -> Column:
    """The probability that two samples, each given by mean, variance and count, have the same mean."""
    few = (moments[2] < 2) | (moments[5] < 2) | ((moments[1] == 0) & (moments[4] == 0))
    return refuse(few, "welch_test needs two values and a variance", _of("welch_test", *moments))
