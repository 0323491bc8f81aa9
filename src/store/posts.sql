-- The best posts of the last good sample of a hashtag in a region, for the brief.
CREATE TABLE best_posts (
    hashtag TEXT NOT NULL,
    region  TEXT NOT NULL,           -- as in `sample`
    posts   TEXT NOT NULL,           -- JSON
    PRIMARY KEY (hashtag, region)
) STRICT;

-- They used to stand among the figures of the sample.
INSERT INTO best_posts (hashtag, region, posts)
    SELECT hashtag, region, json_extract(stats, '$.best') FROM sample
    WHERE json_valid(stats) AND json_type(stats, '$.best') = 'array';
UPDATE sample SET stats = json_remove(stats, '$.best') WHERE json_valid(stats);
