"""KQL texts of every form, one a line, and the queries of hunt files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

SCALARS = """
a
['a b']
['']
['it\\'s']
['from'] + ['datetime'] + ['true']
$left.a
1
0xffffffffffffffff
-9223372036854775808
int(-5)
long(null)
1.5e300 - 5e-324
real(nan) + real(-inf) + real(null)
decimal(1.50) * decimal(-1e5)
true or bool(null)
datetime(0001-01-01) - datetime(2021-03-14T06:40:15.3380001Z)
datetime(null)
timespan(1.02:03:04.0000001) + 7d + 1tick + 3ms
guid(74be27de-1e4e-49d9-b579-fe0b331d3642)
'a' 'b'
'\\u2028\\U0001F600\\0\\x07'
```two
lines'"\\\\```
dynamic(null)
dynamic({"a": [1, -2.5, 'x', null, true, {}], "b": {"c": []}})
dynamic([-9223372036854775808, real(nan), datetime(2020-01-01), 1d, decimal(1.5)])
dynamic({"a": 1}).a[0]
(5).a
(-a).b
-a.b
- -+a
f(x, y = 2, *)
long('5') + real(tostring(a)) + long((a))
toscalar(T | summarize max(a))
f((T | take 1), 5)
a in (b)
a in b
a in ((T), 1)
a has_any (dynamic(['x']))
a !between (1 .. 2 + 3)
(a == b) == c
not(a) and (b or c) and d
(a or b) or c or (d or e)
a * (b + c) % (d / e)
a matches regex @'\\d'
a !has_cs 'x' and b <> c
a[b[c]].['d'].e[-1]
typeof(long)
(print x = 1)
(range x from 1 to 2 step 1)
(datatable (a: long) [1])
""".replace("\nlines'\"", " lines'\"").strip()

OPERATORS = """
where a
extend a = 1, b, (c, d) = f()
project
project a, *, b = 1
project-away a, b*, *c*, ['d e'], ['by']
project-keep a*
project-by-names "a", dynamic(["b", "c*"])
project-rename a = ['b c']
project-reorder a, b* asc, c desc, *d granny-asc, ['asc'] granny-desc
summarize count()
summarize a = count(), (b, c) = percentiles(d, 5, 50) by e, f = bin(g, 1h)
summarize by a
sort by a, b asc, c desc nulls first, f(d) asc nulls last, e = g
take n + 1
top 5 by a desc nulls first
top-nested 3 of a with others = 'x' by sum(b) asc, top-nested of c = d by e = max(f)
distinct *
distinct a, b = c
count
serialize
serialize a = row_number()
as ['a b']
getschema
render timechart with (title='x')
join U on a
join kind=leftanti hint.strategy=shuffle (U | where b) on a, $left.c == $right.d
join (f(x)) on a
lookup kind=leftouter (U) on a
union U, (V | take 1), f(1), W*, (print 1)
union withsource="x" isfuzzy=true U
count as n
top-hitters 2 of a
top-hitters 2 of a by b + 1
search 'x'
search kind=case_sensitive in (U, V*) a:'x*' and ('y' or not('z')) or b == 'w'
search *
search * has 'x'
search 'x' == a
find where a == 'x' project a, b
find withsource=s in (U, (V | take 1)) 'x' and b == 'y' project c
mv-expand a
mv-expand kind=array with_itemindex=i a = f(b) to typeof(long), c limit 5
mv-apply a, b = c to typeof(string) limit 2 on (where d | summarize e = max(a) | union U)
parse a with * 'x' b 'y' 'z' c: long ['d e']: string *
parse-where kind=regex flags=i f(a) with 'x' b
parse-kv a as (b: long, ['c d']: string) with (pair_delimiter=';', kv_delimiter='=', greedy=true)
parse-kv a as ()
make-series a = count() default=0, sum(b) on c = d from ago(1d) to now() step 1h by e, f = g
make-series kind=nonempty count() on c step 1
partition by ['time'] (where a | take 1)
scan with_match_id=m declare (a: long = 0, b: string) with (step s output=none: c == 1 => a = s.a, b = d; step t: true;)
evaluate bag_unpack(a)
evaluate pivot(a, sum(b), c) : (d: long, *)
evaluate plugin() : ()
invoke f(1, T)
"""

QUERIES = """
T
f()
['a b']
1 + 2
print a = 1, 2 | extend c = 3
range ['a b'] from 1 to f(10) step 1 | count
datatable (a: long, ['b c']: dynamic) []
externaldata (a: long, b: string) [@"https://a.example/x", "y"] with (format="csv", ignoreFirstRecord=true)
union T, U | count
union kind=inner (union T, U | take 1), V
search 'x' | take 1
find where a == 1 project b
(T | take 1) | take 2
(T | take 1)
((union T, U) | take 1) | count
let a = 1; let b = (T | where c == a | take 5); b
set query_bin_auto_size = 1h; set notruncation; T
let f = (t: (*)) { t | distinct * }; f(T)
let f = () { T }; let g = view (a: string, t: (*), u: (x: long, *)) { let h = (b: dynamic) { b.c }; t }; g('x', f())
let f = (a: datetime = datetime(2020-01-01), b: bool = true, c: long = -1) { T }; f()
let ['view'] = T; ['view']
let x = toscalar(T | count); T | where a == x
"""


def hunts(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*.yaml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        if isinstance(content, dict) and "query" in content:
            yield content["query"]
