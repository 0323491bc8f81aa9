-- What was spent, in credits, added up by day and kind. A credit is added before its request leaves
-- and taken away again only when it is certain that the request never left.
CREATE TABLE spending (
    day      INTEGER NOT NULL,       -- days since the Unix epoch, UTC
    endpoint TEXT NOT NULL,
    purpose  TEXT NOT NULL,          -- totals, posts, discovery, ad_hoc
    hashtag  TEXT NOT NULL,          -- folded; '' for none, and for all together in old rows
    credits  INTEGER NOT NULL CHECK (credits >= 0),
    last_at  INTEGER NOT NULL,       -- when the last of them was added
    PRIMARY KEY (day, endpoint, purpose, hashtag)
) STRICT, WITHOUT ROWID;

-- Credits that are in `spending` and whose request has not ended. What is found here at the start
-- was under way when the program was killed: it may have been sent, so it stays spent.
CREATE TABLE in_flight (
    id       INTEGER PRIMARY KEY,
    day      INTEGER NOT NULL,
    endpoint TEXT NOT NULL,
    purpose  TEXT NOT NULL,
    hashtag  TEXT NOT NULL
) STRICT;

-- The last count of the account's credits by `ledger reset-balance`. One row at the most.
CREATE TABLE balance (
    id           INTEGER PRIMARY KEY CHECK (id = 1),
    credits      INTEGER NOT NULL,
    counted_at   INTEGER NOT NULL,
    all_before   INTEGER NOT NULL,   -- everything that `spending` held at that moment ...
    ad_hoc_before INTEGER NOT NULL   -- ... and of this, what people's ad-hoc commands spent
) STRICT;
