-- What the parts of a divided run share until the run is published: claims, replies and staged
-- answers. A row is written once and never changed.
-- Grain:  one name.
CREATE TABLE shared_file (
    name text COLLATE "C" NOT NULL,
    data bytea NOT NULL,
    PRIMARY KEY (name)
);
ALTER TABLE shared_file ALTER COLUMN data SET STORAGE EXTERNAL;

-- The replies name customers, and readers need none of them.
CREATE POLICY whole ON shared_file TO auditor_owner, auditor_writer USING (true);
ALTER TABLE shared_file ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, DELETE ON shared_file TO auditor_writer;
