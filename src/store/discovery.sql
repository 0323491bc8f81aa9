-- What followed keywords lead to.
CREATE TABLE keyword (
    name         TEXT PRIMARY KEY,   -- folded
    found_at     INTEGER,            -- when its rows of `candidate` were found
    refreshed_at INTEGER,            -- when the last search ended ...
    outcome      TEXT,               -- ... and how: success, not_found, failed
    succeeded_at INTEGER
) STRICT;

-- The hashtags that the last good search found.
CREATE TABLE candidate (
    keyword TEXT NOT NULL,
    place   INTEGER NOT NULL,        -- in the order of the answer
    hashtag TEXT NOT NULL,           -- folded, without '#'
    posts   TEXT,                    -- counts exceed what an SQLite integer holds
    views   TEXT,
    growth  TEXT,                    -- JSON
    PRIMARY KEY (keyword, place)
) STRICT, WITHOUT ROWID;

-- The posts that match a keyword.
CREATE TABLE keyword_posts (
    keyword      TEXT NOT NULL,
    region       TEXT NOT NULL,      -- ISO 3166-1 alpha-2, or 'any'
    stats        TEXT,               -- JSON
    taken_at     INTEGER,
    refreshed_at INTEGER,
    outcome      TEXT,
    succeeded_at INTEGER,
    PRIMARY KEY (keyword, region)
) STRICT;

-- Hashtags that are watched on trial, and those that rest after one.
CREATE TABLE trial (
    hashtag      TEXT PRIMARY KEY,
    keyword      TEXT,               -- NULL for one that rests
    since        INTEGER,
    seen_at      INTEGER,
    lively_at    INTEGER,
    course       TEXT,               -- JSON
    rests_until  INTEGER
) STRICT;
