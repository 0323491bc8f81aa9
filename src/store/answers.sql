-- What the API answered to people's questions, as it came, so that the same question costs nothing
-- while the answer is young: also after a restart, and when no exporter runs.
CREATE TABLE answer (
    query       TEXT PRIMARY KEY,    -- endpoint and parameters
    answered_at INTEGER NOT NULL,    -- milliseconds since the Unix epoch
    body        BLOB NOT NULL        -- JSON, as it came
) STRICT;
