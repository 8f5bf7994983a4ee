-- credential: who the hub is for a service.  The secret is apart from everything else that is known about it: nobody but
-- the owner of the extension may read it, and dumps leave it out.  Run once.

CREATE TABLE planthub.credential (
    code       text COLLATE "C" PRIMARY KEY CHECK (code ~ '^[a-z0-9][a-z0-9._-]{0,62}$'),
    kind       text NOT NULL CHECK (kind IN ('basic', 'header', 'oauth2')),
    settings   jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(settings) = 'object'),
    changed_at timestamptz NOT NULL DEFAULT now(),
    changed_by text NOT NULL DEFAULT session_user
);
COMMENT ON TABLE planthub.credential IS 'Who the hub is for services of other systems; the secrets themselves are not here';
COMMENT ON COLUMN planthub.credential.code IS 'Code such as sap-prd-user';
COMMENT ON COLUMN planthub.credential.kind IS 'basic: user and password (RFC 7617); header: a header field with a key or token; oauth2: client credentials (RFC 6749, 4.4)';
COMMENT ON COLUMN planthub.credential.settings IS 'What is no secret; basic: {"user"}; header: {"header": "X-API-Key", "prefix": ""}, without them "Authorization: Bearer "; oauth2: {"token_url", "client_id", "scope", "client_auth": "basic" or "body", "parameters": {}}';
COMMENT ON COLUMN planthub.credential.changed_at IS 'When it was given its secret last';
COMMENT ON COLUMN planthub.credential.changed_by IS 'Who did that: the role that logged in';

CREATE TABLE planthub.credential_secret (
    credential text COLLATE "C" PRIMARY KEY REFERENCES planthub.credential ON DELETE CASCADE,
    secret     text NOT NULL CHECK (secret <> '')
);
COMMENT ON TABLE planthub.credential_secret IS 'Secrets of credentials: for the workers only, in no dump; a restored hub is given them anew';
COMMENT ON COLUMN planthub.credential_secret.credential IS 'The credential';
COMMENT ON COLUMN planthub.credential_secret.secret IS 'Password, key or client secret';

COMMENT ON CONSTRAINT credential_code_check ON planthub.credential IS 'A code has up to 63 lower-case letters, digits and . _ - and begins with a letter or digit';
COMMENT ON CONSTRAINT credential_kind_check ON planthub.credential IS 'Use basic, header or oauth2';
COMMENT ON CONSTRAINT credential_settings_check ON planthub.credential IS 'Use a JSON object, such as {"user": "HUB"}';

INSERT INTO planthub.table_class VALUES ('credential', 'local'), ('credential_secret', 'local');
