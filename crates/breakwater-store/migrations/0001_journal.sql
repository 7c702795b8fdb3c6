-- The keeper's journal. Block numbers, nonces and counts are integers, hashes and addresses are
-- bytes, 256-bit numbers are decimal text, and everything else is JSON text.

-- What the journal belongs to; one row.
CREATE TABLE identity (
    one        INTEGER PRIMARY KEY CHECK (one = 1),
    chain_id   INTEGER NOT NULL,
    genesis    BLOB    NOT NULL CHECK (length(genesis) = 32),
    deployment BLOB    NOT NULL CHECK (length(deployment) = 20)
) STRICT;

-- Followed blocks, newest last; the newest is where following resumes.
CREATE TABLE heads (
    number INTEGER PRIMARY KEY,
    hash   BLOB NOT NULL CHECK (length(hash) = 32),
    rlp    BLOB NOT NULL
) STRICT;

CREATE TABLE gauges (
    id          BLOB PRIMARY KEY CHECK (length(id) = 32),
    spec        TEXT NOT NULL,
    watched     INTEGER NOT NULL CHECK (watched IN (0, 1)),
    since_block INTEGER NOT NULL
) STRICT;

-- Readings of the followed window, and each gauge's newest however old.
CREATE TABLE readings (
    gauge      BLOB    NOT NULL REFERENCES gauges (id),
    block      INTEGER NOT NULL,
    block_hash BLOB    NOT NULL CHECK (length(block_hash) = 32),
    data       TEXT    NOT NULL,
    evidence   BLOB    NOT NULL,
    PRIMARY KEY (gauge, block)
) STRICT;

CREATE TABLE actions (
    key           TEXT PRIMARY KEY,
    intent        TEXT,
    state         TEXT NOT NULL CHECK (state IN ('planned', 'signed', 'mined', 'final', 'failed')),
    reason        TEXT,
    tx_hash       BLOB CHECK (tx_hash IS NULL OR length(tx_hash) = 32),
    block         INTEGER,
    block_hash    BLOB CHECK (block_hash IS NULL OR length(block_hash) = 32),
    success       INTEGER CHECK (success IS NULL OR success IN (0, 1)),
    last_error    TEXT,
    created_block INTEGER NOT NULL,
    updated_block INTEGER NOT NULL,
    CHECK (state NOT IN ('mined', 'final')
           OR (tx_hash IS NOT NULL AND block IS NOT NULL AND block_hash IS NOT NULL AND success IS NOT NULL)),
    CHECK (state <> 'failed' OR reason IS NOT NULL)
) STRICT;

CREATE INDEX actions_by_state ON actions (state, created_block);

-- Who owns a nonce; a nonce never changes its owner.
CREATE TABLE nonces (
    sender BLOB    NOT NULL CHECK (length(sender) = 20),
    nonce  INTEGER NOT NULL,
    action TEXT    NOT NULL REFERENCES actions (key),
    PRIMARY KEY (sender, nonce),
    UNIQUE (sender, nonce, action)
) STRICT;

CREATE TABLE attempts (
    action   TEXT    NOT NULL REFERENCES actions (key),
    number   INTEGER NOT NULL,
    sender   BLOB    NOT NULL,
    nonce    INTEGER NOT NULL,
    tx_hash  BLOB    NOT NULL UNIQUE CHECK (length(tx_hash) = 32),
    raw      BLOB    NOT NULL,
    at_block INTEGER NOT NULL,
    PRIMARY KEY (action, number),
    FOREIGN KEY (sender, nonce, action) REFERENCES nonces (sender, nonce, action)
) STRICT;

-- What the chain said about incidents, one row per event, so that a reorganisation can take it back.
CREATE TABLE incident_events (
    incident  TEXT    NOT NULL,
    block     INTEGER NOT NULL,
    log_index INTEGER NOT NULL,
    gauge     BLOB    NOT NULL CHECK (length(gauge) = 32),
    status    TEXT    NOT NULL CHECK (status IN ('dwelling', 'voided', 'final')),
    data      TEXT    NOT NULL,
    PRIMARY KEY (block, log_index)
) STRICT;

CREATE INDEX incident_events_by_incident ON incident_events (incident, block, log_index);

-- Policies that an incident touches, until they are settled.
CREATE TABLE settlements (
    incident      TEXT    NOT NULL,
    policy        TEXT    NOT NULL,
    data          TEXT    NOT NULL,
    due_block     INTEGER NOT NULL,
    settled_block INTEGER,
    paid          TEXT,
    PRIMARY KEY (incident, policy),
    CHECK ((settled_block IS NULL) = (paid IS NULL))
) STRICT;

CREATE INDEX settlements_open ON settlements (incident) WHERE settled_block IS NULL;
