-- How a hashtag's count of posts grows, as JSON: what few looks are shared out by.
CREATE TABLE growth (
    hashtag TEXT PRIMARY KEY,
    course  TEXT NOT NULL
) STRICT;
