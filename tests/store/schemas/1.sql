-- A store as chatctl 0.1 wrote it: schema 1 and three messages. Frozen: files like this one are out there.
PRAGMA page_size = 8192;
BEGIN;
CREATE TABLE log (              -- one row: the log and its totals
    id TEXT NOT NULL,
    head INTEGER NOT NULL,      -- the newest sequence
    last_time INTEGER NOT NULL, -- microseconds since 1970, as all times here
    messages INTEGER NOT NULL, bytes INTEGER NOT NULL, rooms INTEGER NOT NULL, users INTEGER NOT NULL
);
CREATE TABLE room (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, messages INTEGER NOT NULL, last_time INTEGER NOT NULL);
CREATE TABLE user (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, messages INTEGER NOT NULL, last_time INTEGER NOT NULL);
CREATE TABLE sender (id INTEGER PRIMARY KEY, user INTEGER NOT NULL REFERENCES user, name TEXT NOT NULL, UNIQUE (user, name));
CREATE TABLE message (sequence INTEGER PRIMARY KEY, text TEXT NOT NULL);
CREATE TABLE block (
    sequence INTEGER PRIMARY KEY, -- of its first message; the others follow
    messages INTEGER NOT NULL, bytes INTEGER NOT NULL,
    room INTEGER NOT NULL REFERENCES room, user INTEGER NOT NULL REFERENCES user,
    sender INTEGER NOT NULL REFERENCES sender, number INTEGER NOT NULL, -- of its first record
    time INTEGER NOT NULL
);
CREATE INDEX room_by_messages ON room (messages);
CREATE INDEX user_by_messages ON user (messages);
CREATE INDEX block_by_room ON block (room);
CREATE INDEX block_by_user ON block (user);
CREATE INDEX block_by_number ON block (sender, number);
CREATE VIEW messages AS         -- for people: plain rows, oldest first
    SELECT message.sequence, strftime('%Y-%m-%dT%H:%M:%fZ', block.time / 1e6, 'unixepoch') AS time,
           room.name AS room, user.name AS user, message.text,
           sender.name AS sender, block.number + message.sequence - block.sequence AS number
    FROM block CROSS JOIN message ON message.sequence BETWEEN block.sequence AND block.sequence + block.messages - 1
    JOIN room ON room.id = block.room JOIN user ON user.id = block.user JOIN sender ON sender.id = block.sender
    ORDER BY block.sequence, message.sequence;
INSERT INTO log VALUES ('0123456789ab', 3, 1700000001000000, 3, 14, 2, 2);
INSERT INTO room VALUES (1, 'lobby', 2, 1700000000000000), (2, 'den', 1, 1700000001000000);
INSERT INTO user VALUES (1, 'ann', 2, 1700000000000000), (2, 'bob', 1, 1700000001000000);
INSERT INTO sender VALUES (1, 1, 'input'), (2, 2, 'other');
INSERT INTO message VALUES (1, 'hello'), (2, 'world'), (3, 'räu');
INSERT INTO block VALUES (1, 2, 10, 1, 1, 1, 1, 1700000000000000), (3, 1, 4, 2, 2, 2, 7, 1700000001000000);
PRAGMA application_id = 0x63686174;
PRAGMA user_version = 1;
COMMIT;
PRAGMA journal_mode = WAL;
