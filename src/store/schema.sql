-- Times are milliseconds since the Unix epoch. Counts are JSON arrays of the last distinct values,
-- newest first, because they exceed what an SQLite integer holds.

-- One row as soon as a result of a simulator is among the others.
CREATE TABLE simulated (at INTEGER NOT NULL) STRICT;

CREATE TABLE hashtag (
    name         TEXT PRIMARY KEY,   -- folded, without '#'
    challenge_id TEXT,
    resolved_at  INTEGER,            -- when name and id were last seen together
    found        INTEGER,            -- what the upstream last said: 1, 0, or NULL: nothing yet
    commerce     INTEGER,            -- 0, 1, or NULL: not said
    posts        TEXT,
    posts_at     INTEGER,
    views        TEXT,
    views_at     INTEGER,
    refreshed_at INTEGER,            -- when the last refresh ended ...
    outcome      TEXT,               -- ... and how: success, not_found, failed
    succeeded_at INTEGER
) STRICT;

CREATE TABLE sample (
    hashtag      TEXT NOT NULL,
    region       TEXT NOT NULL,      -- ISO 3166-1 alpha-2, or 'any'
    stats        TEXT,               -- JSON
    taken_at     INTEGER,
    refreshed_at INTEGER,
    outcome      TEXT,
    succeeded_at INTEGER,
    PRIMARY KEY (hashtag, region)
) STRICT;
