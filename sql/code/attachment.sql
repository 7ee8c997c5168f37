CREATE FUNCTION sales_crm.media_type_of(content bytea)
RETURNS text LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_media_type_of';
COMMENT ON FUNCTION sales_crm.media_type_of(bytea) IS
	'The media type that the first bytes of a content tell (PDF, PNG, JPEG, GIF, WebP, TIFF, ZIP, gzip, OLE, iCalendar), or NULL';

CREATE FUNCTION sales_crm.media_type_fits(media_type text, content bytea)
RETURNS boolean LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_media_type_fits';
COMMENT ON FUNCTION sales_crm.media_type_fits(text, bytea) IS
	'Whether the first bytes of a content are what its media type promises; true for types that promise nothing';

CREATE FUNCTION sales_crm.attachment_guard()
RETURNS trigger LANGUAGE c
AS 'MODULE_PATHNAME', 'scrm_attachment_guard';
COMMENT ON FUNCTION sales_crm.attachment_guard() IS
	'Row trigger of attachment: puts the content into attachment_content, once for the same bytes, and fills in type, checksum and size. Errors: 54000 for more than company.attachment_max_bytes, save the document of a signature, 22023 for a type that the content is not of, 23001 for another content, 23502 for none';

CREATE FUNCTION sales_crm.attachment_forget()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF TG_OP = 'TRUNCATE' THEN
		DELETE FROM sales_crm.attachment_content;
		RETURN NULL;
	END IF;
	-- Locked first: the second statement sees what was attached until then
	PERFORM FROM sales_crm.attachment_content c
	WHERE c.sha256 IN (SELECT o.sha256 FROM old_attachment o) ORDER BY c.sha256 FOR UPDATE;
	DELETE FROM sales_crm.attachment_content c
	WHERE c.sha256 IN (SELECT o.sha256 FROM old_attachment o)
		AND NOT EXISTS (SELECT FROM sales_crm.attachment a WHERE a.sha256 = c.sha256);
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION sales_crm.attachment_forget() IS
	'Statement trigger of attachment: content that no attachment has any more goes';

CREATE FUNCTION sales_crm.download_attachment(
	attachment_id bigint, OUT file_name text, OUT media_type text, OUT size bigint, OUT sha256 bytea, OUT content bytea)
RETURNS record LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	SELECT a.file_name, a.media_type, a.size, a.sha256, c.content
	INTO file_name, media_type, size, sha256, content
	FROM sales_crm.attachment a JOIN sales_crm.attachment_content c ON c.sha256 = a.sha256
	WHERE a.attachment_id = download_attachment.attachment_id AND sales_crm.sees('attachment', a.attachment_id);
	IF NOT FOUND THEN
		RAISE EXCEPTION 'attachment % does not exist', attachment_id
			USING ERRCODE = 'no_data_found';
	END IF;
	PERFORM sales_crm.log_access('download_attachment', download_attachment.attachment_id);
END
$$;
COMMENT ON FUNCTION sales_crm.download_attachment(bigint) IS
	'A file with its content, for those who see the attachment; access_log has it while company.log_access is on. Errors: P0002 when there is none';

CREATE FUNCTION sales_crm.verify_attachments(
	OUT sha256 bytea, OUT attachment_id bigint, OUT problem text)
RETURNS SETOF record LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT c.sha256, NULL::bigint, 'content does not have its checksum'
	FROM sales_crm.attachment_content c WHERE c.sha256 <> pg_catalog.sha256(c.content)
	UNION ALL
	SELECT c.sha256, NULL, 'content without attachment'
	FROM sales_crm.attachment_content c
	WHERE NOT EXISTS (SELECT FROM sales_crm.attachment a WHERE a.sha256 = c.sha256)
	UNION ALL
	SELECT a.sha256, a.attachment_id, 'size is not that of the content'
	FROM sales_crm.attachment a JOIN sales_crm.attachment_content c USING (sha256)
	WHERE a.size <> octet_length(c.content)
$$;
COMMENT ON FUNCTION sales_crm.verify_attachments() IS
	'Recomputes checksums and sizes of attachments and returns each difference: never a row, unless rows were written with triggers off';
