-- Steps of endpoints and credentials: what is refused, and who may see what.
\set SHOW_CONTEXT never
SELECT planthub.create_system('erp', 'erp');

-- places in addresses
SELECT planthub.create_endpoint('e1', 'erp', 'https://erp.example/Order(''{request.order}'')/{delivery.id}?x={message.key}');
SELECT planthub.create_endpoint('bad', 'erp', 'https://{request.host}/x');
SELECT planthub.create_endpoint('bad', 'erp', 'https://erp.example/{request.order');
SELECT planthub.create_endpoint('bad', 'erp', 'https://erp.example/x}');
SELECT planthub.create_endpoint('bad', 'erp', 'https://erp.example/{request.}');
SELECT planthub.create_endpoint('bad', 'erp', 'https://erp.example/{body.order}');
SELECT planthub.create_endpoint('bad', 'erp', 'https://erp.example/{$env.site}');
SELECT planthub.create_endpoint('bad', 'erp', 'https://erp.example/a b/{request.order}');
SELECT planthub.create_endpoint('bad', 'erp', 'https://erp.example/{request.order}', content_mode => 'batch');

-- steps
SELECT planthub.alter_endpoint('e1', steps => '{"session": {"address": "/sap/"}, "read": {"address": "/Order(''{request.order}'')", "etag": "body.d.etag", "require": "body.d.open"}, "lookup": {"address": "/Orders?ref={message.id}", "found": "body.d.results[0]"}}');
SELECT steps->'session' FROM planthub.endpoint WHERE code = 'e1';
SELECT planthub.alter_endpoint('e1', steps => '[]');
SELECT planthub.alter_endpoint('e1', steps => '{"sesion": {}}');
SELECT planthub.alter_endpoint('e1', steps => '{"session": 1}');
SELECT planthub.alter_endpoint('e1', steps => '{"session": {}}');
SELECT planthub.alter_endpoint('e1', steps => '{"session": {"address": "https://elsewhere.example/"}}');
SELECT planthub.alter_endpoint('e1', steps => '{"session": {"address": "//elsewhere.example/"}}');
SELECT planthub.alter_endpoint('e1', steps => '{"session": {"address": "/{message.id}"}}');
SELECT planthub.alter_endpoint('e1', steps => '{"session": {"address": "/", "header": "X: y"}}');
SELECT planthub.alter_endpoint('e1', steps => '{"session": {"address": "/", "adress": "/"}}');
SELECT planthub.alter_endpoint('e1', steps => '{"read": {"address": "/a b"}}');
SELECT planthub.alter_endpoint('e1', steps => '{"read": {"address": "/", "etag": "nope.x"}}');
SELECT planthub.alter_endpoint('e1', steps => '{"read": {"address": "/", "require": "status =="}}');
SELECT planthub.alter_endpoint('e1', steps => '{"lookup": {"address": "/"}}');
SELECT planthub.alter_endpoint('e1', content_mode => 'batch');
SELECT planthub.alter_endpoint('e1', steps => 'null');
SELECT steps IS NULL FROM planthub.endpoint WHERE code = 'e1';

-- credentials
SELECT planthub.set_credential('user', 'regress-secret', 'basic', '{"user": "HUB"}');
SELECT planthub.set_credential('key', 'regress-secret', 'header');
SELECT planthub.set_credential('token', 'regress-secret', 'oauth2', '{"token_url": "https://login.example/token", "client_id": "hub"}');
SELECT code, kind, settings FROM planthub.credential ORDER BY code;
SELECT planthub.set_credential('user', settings => '{"user": "HUB2"}');
SELECT c.settings, s.secret FROM planthub.credential AS c JOIN planthub.credential_secret AS s ON s.credential = c.code WHERE c.code = 'user';
SELECT planthub.set_credential('none', 'regress-secret');
SELECT planthub.set_credential('none', kind => 'basic');
SELECT planthub.set_credential('No', 'regress-secret', 'header');
SELECT planthub.set_credential('none', 'regress-secret', 'kerberos');
SELECT planthub.set_credential('none', '', 'header');
SELECT planthub.set_credential('none', E'regress-secret\n', 'header');
SELECT planthub.set_credential('none', 'regress-secret', 'basic');
SELECT planthub.set_credential('none', 'regress-secret', 'basic', '{"user": "a:b"}');
SELECT planthub.set_credential('none', 'regress-secret', 'basic', '{"user": "a", "password": "b"}');
SELECT planthub.set_credential('none', 'regress-secret', 'header', '{"header": "X Key"}');
SELECT planthub.set_credential('none', 'regress-secret', 'header', '[]');
SELECT planthub.set_credential('none', 'regress-secret', 'oauth2', '{"client_id": "hub"}');
SELECT planthub.set_credential('none', 'regress-secret', 'oauth2', '{"token_url": "ftp://login.example", "client_id": "hub"}');
SELECT planthub.set_credential('none', 'regress-secret', 'oauth2', '{"token_url": "https://login.example", "client_id": "hub", "client_auth": "jwt"}');
SELECT planthub.set_credential('none', 'regress-secret', 'oauth2', '{"token_url": "https://login.example", "client_id": "hub", "parameters": {"a": 1}}');
SELECT planthub.alter_endpoint('e1', credential => 'none');
SELECT planthub.alter_endpoint('e1', credential => 'user');
SELECT planthub.drop_credential('user');
SELECT planthub.alter_endpoint('e1', credential => '');
SELECT planthub.drop_credential('user');
SELECT count(*) FROM planthub.credential_secret;
SELECT count(*) FROM planthub.operation_log AS o WHERE o::text LIKE '%regress-secret%';

-- rights
CREATE ROLE regress_ph_integrator;
SELECT planthub.grant_access('integrator', 'regress_ph_integrator');
SET ROLE regress_ph_integrator;
SELECT planthub.set_credential('mine', 'regress-secret', 'header');
SELECT code FROM planthub.credential ORDER BY code;
SELECT * FROM planthub.credential_secret;
SELECT planthub.hide_statement('x');
RESET ROLE;
SELECT planthub.revoke_access('regress_ph_integrator');
DROP ROLE regress_ph_integrator;
