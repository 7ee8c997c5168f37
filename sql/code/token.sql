CREATE FUNCTION sales_crm.make_token()
RETURNS text LANGUAGE c VOLATILE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_make_token';
COMMENT ON FUNCTION sales_crm.make_token() IS
	'A secret for a link: 32 random bytes in base64url, 43 characters';

CREATE FUNCTION sales_crm.token_sha256(token text)
RETURNS bytea LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN sha256(convert_to(token, 'UTF8'));
END
$$;
COMMENT ON FUNCTION sales_crm.token_sha256(text) IS
	'What is kept of a secret';
