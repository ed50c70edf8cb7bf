-- The views of findings.md for DuckDB. Written by `make docs`.
--
-- Before it, make the tables that they read, for example with DuckDB's extension `delta`:
--
--   CREATE SCHEMA findings; CREATE VIEW findings.all AS FROM delta_scan('lake/findings/all');
--   CREATE SCHEMA hunts;    CREATE VIEW hunts.runs AS FROM delta_scan('lake/hunts/runs');
--   CREATE SCHEMA events;
--   CREATE VIEW events.device_process_events AS FROM delta_scan('lake/events/device_process_events');

SET TimeZone = 'UTC';

CREATE SCHEMA IF NOT EXISTS bi;

CREATE OR REPLACE MACRO explode(list) AS unnest(list);

CREATE OR REPLACE VIEW bi.as_ofs AS
SELECT hunt_id,
  first_value(hunt_name) OVER (PARTITION BY hunt_id ORDER BY as_of DESC) AS hunt_name,
  as_of,
  max(as_of) OVER (PARTITION BY hunt_id) AS newest_as_of
FROM (
  SELECT hunt_id, as_of, max(hunt_name) AS hunt_name
  FROM (
    SELECT hunt_id, as_of, hunt_name FROM hunts.runs WHERE outcome = 'succeeded'
    UNION ALL
    SELECT hunt_id, as_of, hunt_name FROM findings.all
  ) AS known
  GROUP BY hunt_id, as_of
) AS once;

CREATE OR REPLACE VIEW bi.new_findings AS
SELECT f.finding_id, f.as_of, f.hunt_id, f.hunt_name, f.severity,
  coalesce(f.attack_tactics, f.tactics) AS tactics, coalesce(f.attack_techniques, f.techniques) AS techniques,
  f.device_id, f.device_name, f.account_name, f.first_seen, f.last_seen, f.events, f.window_start, f.window_end,
  f.evidence, f.result
FROM (
  SELECT n.*, row_number() OVER (PARTITION BY n.finding_id ORDER BY n.as_of DESC) AS place
  FROM findings.all AS n JOIN bi.as_ofs AS a ON n.hunt_id = a.hunt_id AND n.as_of = a.as_of
  WHERE n.status = 'new' AND a.as_of > a.newest_as_of - INTERVAL '1' DAY
) AS f
WHERE f.place = 1;

CREATE OR REPLACE VIEW bi.current_findings AS
SELECT f.finding_id, f.as_of, f.hunt_id, f.hunt_name, f.severity,
  coalesce(f.attack_tactics, f.tactics) AS tactics, coalesce(f.attack_techniques, f.techniques) AS techniques,
  f.device_id, f.device_name, f.account_name, f.first_seen, f.last_seen, f.events, f.window_start, f.window_end,
  f.evidence, f.result, n.finding_id IS NOT NULL AS is_new
FROM findings.all AS f
JOIN bi.as_ofs AS a ON f.hunt_id = a.hunt_id AND f.as_of = a.as_of
LEFT JOIN bi.new_findings AS n ON f.finding_id = n.finding_id
WHERE a.as_of = a.newest_as_of;

CREATE OR REPLACE VIEW bi.finding_history AS
SELECT f.finding_id, f.as_of, f.hunt_id, f.hunt_name, f.severity,
  coalesce(f.attack_tactics, f.tactics) AS tactics, coalesce(f.attack_techniques, f.techniques) AS techniques,
  f.device_id, f.device_name, f.account_name, f.first_seen, f.last_seen, f.events, f.window_start, f.window_end,
  f.evidence, f.result, f.first_as_of, f.as_ofs, f.ever_first_seen, f.ever_last_seen, f.as_of = a.newest_as_of AS is_current
FROM (
  SELECT h.*,
    row_number() OVER (PARTITION BY h.finding_id ORDER BY h.as_of DESC) AS place,
    min(h.as_of) OVER (PARTITION BY h.finding_id) AS first_as_of,
    count(*) OVER (PARTITION BY h.finding_id) AS as_ofs,
    min(h.first_seen) OVER (PARTITION BY h.finding_id) AS ever_first_seen,
    max(h.last_seen) OVER (PARTITION BY h.finding_id) AS ever_last_seen
  FROM findings.all AS h
) AS f
JOIN (SELECT hunt_id, max(as_of) AS newest_as_of FROM bi.as_ofs GROUP BY hunt_id) AS a ON f.hunt_id = a.hunt_id
WHERE f.place = 1;

CREATE OR REPLACE VIEW bi.devices AS
SELECT device_id, max(device_name) AS device_name, count(*) AS findings,
  count(*) FILTER (WHERE is_new) AS new_findings, count(DISTINCT hunt_id) AS hunts,
  CAST(sum(events) AS BIGINT) AS events,
  CASE max(CASE severity WHEN 'High' THEN 4 WHEN 'Medium' THEN 3 WHEN 'Low' THEN 2 WHEN 'Informational' THEN 1 END)
    WHEN 4 THEN 'High' WHEN 3 THEN 'Medium' WHEN 2 THEN 'Low' WHEN 1 THEN 'Informational' END AS highest_severity,
  min(first_seen) AS first_seen, max(last_seen) AS last_seen
FROM bi.current_findings
GROUP BY device_id;

CREATE OR REPLACE VIEW bi.tactics AS
SELECT t.tactic, count(*) AS findings, count(*) FILTER (WHERE f.is_new) AS new_findings,
  count(DISTINCT f.hunt_id) AS hunts, count(DISTINCT f.device_id) AS devices, max(f.last_seen) AS last_seen
FROM bi.current_findings AS f
LEFT JOIN (SELECT finding_id, explode(tactics) AS tactic FROM bi.current_findings) AS t ON f.finding_id = t.finding_id
GROUP BY t.tactic;

CREATE OR REPLACE VIEW bi.trend AS
SELECT a.hunt_id, a.hunt_name, a.as_of, CAST(a.as_of AS DATE) AS as_of_date, count(f.finding_id) AS findings,
  count(f.finding_id) FILTER (WHERE f.status = 'new') AS new_findings,
  count(f.finding_id) FILTER (WHERE f.status = 'recurring') AS recurring_findings,
  count(DISTINCT f.device_id) AS devices, CAST(coalesce(sum(f.events), 0) AS BIGINT) AS events
FROM bi.as_ofs AS a LEFT JOIN findings.all AS f ON f.hunt_id = a.hunt_id AND f.as_of = a.as_of
GROUP BY a.hunt_id, a.hunt_name, a.as_of;

CREATE OR REPLACE VIEW bi.command_lines AS
SELECT f.hunt_id, max(f.hunt_name) AS hunt_name, e.ProcessCommandLine AS command_line,
  count(DISTINCT e.event_id) AS events, count(DISTINCT f.finding_id) AS findings,
  count(DISTINCT e.DeviceId) AS devices, count(DISTINCT e.AccountName) AS accounts,
  min(e.Timestamp) AS first_seen, max(e.Timestamp) AS last_seen
FROM (SELECT hunt_id, hunt_name, finding_id, explode(evidence) AS event_id FROM bi.current_findings) AS f
JOIN events.device_process_events AS e ON e.event_id = f.event_id
WHERE e.event_date >= (SELECT CAST(min(first_seen) AS DATE) FROM bi.current_findings)
GROUP BY f.hunt_id, e.ProcessCommandLine;
