CREATE FUNCTION sales_crm.make_token()
RETURNS text LANGUAGE c VOLATILE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_make_token';
COMMENT ON FUNCTION sales_crm.make_token() IS
	'A secret for a link: 32 random bytes in base64url, 43 characters';

CREATE FUNCTION sales_crm.token_sha256(token text)
RETURNS bytea LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_token_sha256';
COMMENT ON FUNCTION sales_crm.token_sha256(text) IS
	'What is kept of a secret';
