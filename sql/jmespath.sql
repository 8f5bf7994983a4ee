-- Expressions: what the compliance suites do not say.  Numbers are exact, functions of the hub, every class of error,
-- hostile input.
\set VERBOSITY default
CREATE FUNCTION pg_temp.try(expression text, document jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    class text;
    place text;
BEGIN
    RETURN planthub.jmespath(expression, document);
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS class = PG_EXCEPTION_DETAIL, place = PG_EXCEPTION_CONTEXT;
    RETURN format('%s %s, column %s: %s', SQLSTATE, class, substring(place FROM 'column (\d+)'), SQLERRM);
END $$;
-- each expression of a text, one per line, for one document
CREATE FUNCTION pg_temp.each(expressions text, document jsonb DEFAULT '{}') RETURNS TABLE (expression text, value text)
LANGUAGE sql AS $$
    SELECT e, pg_temp.try(e, document) FROM regexp_split_to_table(btrim(expressions, E'\n'), E'\n') AS e
$$;
\pset format unaligned
\pset tuples_only

-- how errors look
SELECT planthub.jmespath('order.items[?qty > ]', '{}');
SELECT planthub.jmespath('order.items[0].qty * 2', '{"order": {"items": [{"qty": "5"}]}}');
SELECT planthub.jmespath('[a, 1]', '{}');
SELECT planthub.jmespath('nonsense(a)', '{}');
SELECT planthub.jmespath('a', NULL) IS NULL;

-- numbers
SELECT * FROM pg_temp.each($$
big + 1
big * big
price * qty
0.1 + 0.2
1.0 == 1
1.10
`1.10`
-qty
- -qty
+qty
2 + 3 * 4 - 10 / 4
7 // 2
-7 // 2
7 // -2
-7 % 3
7 % -3
7.5 % 2
1 / 3
2 / 3 * 3
qty*2
qty -1
10 ÷ 4 × 2 − 1
1e3
1E-3 + 1
a.b * 2
items[*].q * 2
items[0].q * 2
sum(items[*].q) / 2
avg(items[*].q)
1 / 0
1 // 0
1 % 0
missing + 1
'1' + 1
-missing
007
1.
[1]
[1, 2]
[`1`, 2]
[`1`, 2 + 0]
[(1)]
-1
[-1]
$$, '{"big": 123456789012345678901234567890, "price": 0.07, "qty": 3.50, "items": [{"q": 1.5}, {"q": 2.50}]}');

-- numbers that are small to write and huge to work with
SELECT * FROM pg_temp.each($$
`1e1001`
`1e-1001`
1e999 * 10
1e999 + 1e-999
1e600 * 1e600
1e-600 * 1e-600
bomb + 1
abs(bomb) > 0
length(to_string(bomb))
to_number('1e131071')
number('1e131071')
integer('1e100000')
round(1, 2000)
round(bomb, 2)
format_number(1, 5000)
ceil(bomb)
sum([bomb, bomb])
seq(bomb)
$$, '{"bomb": 1e131071}');
SELECT pg_temp.try('let $a = 1e400 + 7 in let $b = $a * $a in let $c = $b * $b in $c');

-- conversions
SELECT * FROM pg_temp.each($$
number('12.50')
number('-12.50')
number('+1')
number('000123')
number('1.234,50', ',', '.')
number('1.234.567,5', ',', '.')
number('12345,5', ',', '.')
number('1,234.5', '.', ',')
number('1,23.5', '.', ',')
number('1234,567.5', '.', ',')
number('1.5', ',')
number('12,5')
number('12,5', ',')
number('')
number(' 1')
number('1e3')
number('NaN')
number('Infinity')
number(null_)
number(5.0)
number(`true`)
number('1', 'ab')
number('1', '1')
integer('12')
integer('12.0')
integer('12.5')
integer(12.00)
to_number('x')
to_number(' 1')
to_number('01')
boolean(`true`)
boolean('true')
boolean('false')
boolean('X', 'X', '')
boolean('', 'X', '')
boolean('ja', ['ja', 'JA'], ['nein'])
boolean(`1`, `1`, `0`)
boolean('maybe')
boolean(null_)
to_string(1.50)
to_string({a: 'ü"', b: `[1, null]`})
$$);

-- rounding
SELECT * FROM pg_temp.each($$
round(2.345, 2)
round(2.5, 0)
round(-2.5, 0)
round(2.5, 0, 'half_even')
round(3.5, 0, 'half_even')
round(-2.5, 0, 'half_even')
round(0.125, 2, 'half_even')
round(0.135, 2, 'half_even')
round(0.1251, 2, 'half_even')
round(25, -1, 'half_even')
round(35, -1, 'half_even')
round(2.349, 2, 'down')
round(-2.349, 2, 'down')
round(2.341, 2, 'up')
round(-2.341, 2, 'up')
round(2.30, 2, 'up')
round(1234, -2)
round(1.5, 0.5)
round(1.5, 0, 'nearest')
round('1', 0)
ceil(1.1)
ceil(-1.1)
floor(1.9)
floor(-1.1)
ceil(5)
trim_scale(1.500)
trim_scale(100.00)
format_number(1.5, 3)
format_number(2.345, 2)
format_number(1000, 0)
format_number(1, -1)
$$);

-- values and members
SELECT * FROM pg_temp.each($$
nz(a, 5)
nz(gone, 5)
nz(f, 5)
has(@, 'n')
has(@, 'gone')
has(gone, 'a')
has(a, 'b')
get(@, 'key')
get(@, get(@, 'key'))
get(a, 'b')
get(gone, 'b')
concat('A', a, '-', 1.50)
concat('A', gone)
concat('A', f)
not_null(gone, n, a)
type(&a)
length(a)
seq(3)
seq(0)
seq(-1)
seq(1.5)
seq(10001)
$$, '{"a": 1, "n": null, "f": false, "key": "a"}');

-- strings
SELECT * FROM pg_temp.each($$
upper('äöß')
lower('ÄÖ')
length('😀é')
reverse('a😀b')
'a😀b'[1:]
'abc'[-2:]
'abc'[::-2]
find_first('äbc', 'c')
find_last('abcabc', 'bc')
find_first('abc', '')
find_first('abc', 'b', 2)
find_last('abcabc', 'c', 0, -1)
replace('aaa', 'a', 'b', 2)
replace('abc', '', 'x')
replace('abc', 'b', '')
split('a,b,,c', ',')
split('', ',')
split('', '')
split('äb', '')
trim('  x  ')
trim('xxabxx', 'x')
trim('   ')
trim_left('xxab', 'xa')
pad_left('7', 3, '0')
pad_left('7', 3, 'ab')
pad_left('7', 3, '')
pad_right('ä', 3, '€')
join('-', ['a', 'b'])
starts_with('abc', '')
contains('abc', 1)
'it\'s \\ \n'
"\u00e4\"" 
'\u00e4'
$$, '{"ä\"": 7}');

-- regular expressions
SELECT * FROM pg_temp.each($$
matches('LOT-2024-001', '^LOT-\d{4}-\d+$')
matches('lot', '^LOT')
matches('lot', '(?i)^LOT')
matches('Äpfel', '^\w+$')
capture('LOT-2024-001', '^LOT-(\d+)-(\d+)$')
capture('LOT-2024', '^LOT-(\d+)(-(\d+))?$')
capture('abc', 'b')
capture('abc', 'x')
replace_re('a1b22', '\d+', '#')
replace_re('2024-05-01', '(\d+)-(\d+)-(\d+)', '\3.\2.\1')
replace_re('abc', 'b', '[\&] \\')
replace_re('abc', 'x*', '-')
replace_re('äöü', 'ö', 'oe')
replace_re('', '^', 'x')
matches('a', pattern)
matches('a', '(')
matches('aa', '(a)\1')
matches(5, 'a')
matches(gone, 'a')
$$);
SELECT pg_temp.try('matches(@, ''a'')', to_jsonb(repeat('x', 10241)));

-- dates and times
SELECT * FROM pg_temp.each($$
datetime('20240501', 'YYYYMMDD')
datetime('20240501 143000', 'YYYYMMDD HH24MISS')
datetime('01.05.2024', 'DD.MM.YYYY')
datetime('1/5/2024 2:05 pm', 'FMMM/FMDD/YYYY FMHH12:MI AM')
datetime('12:00 am', 'HH12:MI AM')
datetime('01-MAY-24', 'DD-MON-YY')
datetime('2024-122', 'YYYY-DDD')
datetime('2024-W18-3', 'IYYY-"W"IW-ID')
datetime('2024-05-01T10:00:00.123+02:00', 'YYYY-MM-DD"T"HH24:MI:SS.MSTZH:TZM')
datetime('2024-05-01T10:00:00Z', 'YYYY-MM-DD"T"HH24:MI:SSTZH:TZM')
datetime('2024-05-01T10:00:00+02:00', 'YYYY-MM-DD"T"HH24:MI:SSTZH:TZM', 'UTC')
datetime('20240501', 'YYYYMMDD', 'Europe/Berlin')
datetime('20240501 1430', 'YYYYMMDD HH24MI', 'Europe/Berlin')
datetime('20241215 1430', 'YYYYMMDD HH24MI', 'America/New_York')
datetime('20240331 0230', 'YYYYMMDD HH24MI', 'Europe/Berlin')
datetime('20240331 0230', 'YYYYMMDD HH24MI', 'Europe/Berlin', 'earlier')
datetime('20240331 0230', 'YYYYMMDD HH24MI', 'Europe/Berlin', 'later')
datetime('20241027 0230', 'YYYYMMDD HH24MI', 'Europe/Berlin')
datetime('20241027 0230', 'YYYYMMDD HH24MI', 'Europe/Berlin', 'earlier')
datetime('20241027 0230', 'YYYYMMDD HH24MI', 'Europe/Berlin', 'later')
datetime('20241027 0130', 'YYYYMMDD HH24MI', 'Europe/Berlin')
datetime('20240501', 'YYYYMMDD', 'Mars/Base')
datetime('20240501', 'YYYYMMDD', 'Europe/Berlin', 'soon')
datetime('20240230', 'YYYYMMDD')
datetime('2024-5-1', 'YYYY-MM-DD')
datetime('20240501', 'YYYYMM')
datetime('20240501x', 'YYYYMMDD')
datetime('00000000', 'YYYYMMDD')
datetime('246000', 'HH24MISS')
datetime('1430', 'HH24MI', 'UTC')
datetime('x', 'quatsch')
datetime(gone, 'YYYY')
format_datetime('2024-05-01T10:00:00+02:00', 'YYYYMMDD')
format_datetime('2024-05-01T10:00:00+02:00', 'YYYYMMDDHH24MISS', 'UTC')
format_datetime('2024-05-01T23:30:00Z', 'DD.MM.YYYY HH24:MI TZH:TZM', 'Asia/Kolkata')
format_datetime('2024-05-01', 'IYYY-IW DDD Mon MON')
format_datetime('2024-12-30', 'IYYY-"W"IW-ID')
format_datetime('2024-05-01T15:04:05.67', 'FMHH12:MI:SS.MS PM')
format_datetime('2024-05-01', 'HH24')
format_datetime('today', 'YYYY')
add_seconds('2024-05-01T10:00:00+02:00', 86400)
add_seconds('2024-02-28T23:59:59.5', 0.5)
add_seconds('2024-05-01T10:00:00Z', -0.000001)
add_seconds('9999-12-31T23:59:59Z', 1)
add_seconds('2024-05-01', 1)
seconds_between('2024-05-01T10:00:00Z', '2024-05-01T12:00:00+02:00')
seconds_between('2024-05-01T10:00:00.25', '2024-05-02T10:00:00')
seconds_between('2024-05-01', '2024-05-02')
seconds_between('2024-05-01', '2024-05-02T00:00:00Z')
from_epoch(1714557600)
from_epoch(1714557600123, 'ms')
from_epoch(0.5)
from_epoch(-1)
from_epoch(1e20)
from_epoch(1, 'h')
to_epoch('2024-05-01T12:00:00+02:00')
to_epoch('2024-05-01T12:00:00.5+02:00', 'ms')
to_epoch('2024-05-01T12:00:00')
$$);

-- identities and codes
SELECT * FROM pg_temp.each($$
uuid5('6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'www.example.com')
uuid5('nonsense', 'x')
sha256('')
sha256('abc')
base64('Grüße')
unbase64(base64('Grüße'))
unbase64('YQ==')
unbase64('YR==')
unbase64('YQ')
unbase64('/w==')
xref('uom', 'KG')
xref('uom', gone)
xref('uom', gone, 'EA')
xref(set, 'KG')
unit(1, 'KGM', 'GRM')
$$);
SELECT planthub.jmespath('uuid5(ns, ''www.example.com'')', '{"ns": "6ba7b810-9dad-11d1-80b4-00c04fd430c8"}') #>> '{}' =
    '2ed6657d-e927-568b-95e1-2665a8aea6a2';

-- grammar: what is bound how, and where an error is
SELECT * FROM pg_temp.each($$
!a.b
!(a.b)
a || b && c
a == b == c
a ? b : c | d
a ? b ? c : d : e
let $x = a in $x | [0]
let $x = 1 + 1, $y = 2 in $x + $y
let $x = 1 in let $x = 2 in $x
let $x = $x in 1
let
let.in
in
$
$.a
$a
foo bar
foo.
(foo
foo)
&foo
sort_by(l, foo)
sort_by(l, &foo, 1)
map(l, &foo)
length()
äpfel
"äpfel"
'äpfel
a # b
a = b
@.`1`
`{`
`{"a": 01}`
`"\u0000"`
"\ud800"
'a' < 'b'
l[?foo > 1].foo
l[0:2:0]
l[9999999999]
l[-9999999999]
l[:99999999999999999999]
l[1:2:3:4]
l[x]
l[ ]
[ ]
l[]
{a: 1, a: 2}
{}
[]
$$, '{"l": [{"foo": 1}, {"foo": 2}], "a": 0}');

-- hostile
SELECT pg_temp.try(repeat('(', 400) || 'a' || repeat(')', 400));
SELECT pg_temp.try(repeat('[', 400));
SELECT pg_temp.try(repeat('!', 5000) || 'a');
SELECT pg_temp.try('a' || repeat('.a', 5000));
SELECT pg_temp.try('a' || repeat('.a', 200));
SELECT pg_temp.try('a' || repeat('[0]', 5000));
SELECT pg_temp.try('`' || repeat('[', 100000) || '`');
SELECT pg_temp.try('`' || repeat('[', 5000) || '`');
SELECT pg_temp.try(repeat('a', 65536));
SELECT pg_temp.try(repeat('a', 65537));
SELECT pg_temp.try('length([' || repeat('a,', 30000) || 'a])');
SELECT pg_temp.try('length(' || repeat('a,', 100) || 'a)');
SELECT pg_temp.try('not_null(' || repeat('a,', 100) || 'a)');
-- a value of twice the size with every step
SELECT pg_temp.try('let $v0 = ''0123456789'' in ' ||
    string_agg(format('let $v%s = concat($v%s, $v%s) in ', i, i - 1, i - 1), '' ORDER BY i) || 'length($v40)')
FROM generate_series(1, 40) AS i;
SELECT pg_temp.try('let $v0 = [`1`] in ' ||
    string_agg(format('let $v%s = [$v%s, $v%s] in ', i, i - 1, i - 1), '' ORDER BY i) || step)
FROM generate_series(1, 40) AS i, (VALUES ('length($v40)'), ('$v40'), ('to_string($v40)'), ('$v40 == $v39'),
    ('$v40 == [$v39, $v39]'), ('$v40[][][][][][][][][][][][][][][][][][][][][][]'), ('contains($v40, $v39)')) AS last (step)
GROUP BY step ORDER BY step;
SELECT pg_temp.try('map(&map(&map(&map(&@, $), $), $), $)', (SELECT jsonb_agg(i) FROM generate_series(1, 1000) AS i));
SELECT pg_temp.try('pad_left(''x'', 2147483647)');
SELECT pg_temp.try('find_last(@, ''' || repeat('a', 10000) || 'b'')', to_jsonb(repeat('a', 20000)));
SELECT pg_temp.try('join(@, ' || '[' || rtrim(repeat('@,', 1000), ',') || '])', to_jsonb(repeat('a', 100000)));
SELECT pg_temp.try('length(sort(@))', (SELECT jsonb_agg(i % 1000) FROM generate_series(1, 100000) AS i));
-- a document that is deeper than the stack of anyone who walks it carelessly
SELECT pg_temp.try('to_string(@) == to_string(a)', jsonb_build_object('a', (repeat('[', 5000) || repeat(']', 5000))::jsonb));
SELECT pg_temp.try('@ == a', jsonb_build_object('a', (repeat('[', 5000) || repeat(']', 5000))::jsonb));
-- an ambiguous pattern; time is for the loaded machine
SET statement_timeout = '60s';
SELECT count(pg_temp.try('matches(@, ''^(a|a|b)*(a|b|c)*(a|aa)*$'')', to_jsonb(repeat('a', 10000) || 'x'))) > 0;
RESET statement_timeout;

-- what an expression reads, and what it should not say
SELECT * FROM planthub.jmespath_explain($$let $x = order in $x.items[?qty > '1' && !a.b].{q: round(qty / f, 2),
    u: unit(qty, uom, 'KGM'), site: $env.site, l: a-b, n: to_number(x), x: xref('uom', u).f}$$);
SELECT * FROM planthub.jmespath_explain('$.a[*].b | [0].c');
SELECT * FROM planthub.jmespath_explain('let $x = a[?b].c in $x[0].d || $x[*].e || $x.f || sort_by($x, &g)');
SELECT * FROM planthub.jmespath_explain('a[][].b || c[*][*].d');
SELECT * FROM planthub.jmespath_explain('sort_by(items, &no)[*].qty');
SELECT * FROM planthub.jmespath_explain('a.* || b[0][-1] || c[1:2].d');
SELECT * FROM planthub.jmespath_explain('a[?b][0] / 2');
SELECT * FROM planthub.jmespath_explain('a == null ? true : a.null || b[*].false || "true" || `null`');
SELECT * FROM planthub.jmespath_explain('a[');

-- the cache: many expressions, twice
SELECT count(*) FILTER (WHERE planthub.jmespath(format('%s + n', i), '{"n": 1}') = to_jsonb(i + 1))
FROM generate_series(1, 1000) AS i, generate_series(1, 2);
