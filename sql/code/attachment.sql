CREATE FUNCTION sales_crm.media_type_of(content bytea)
RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN CASE
		WHEN substr(content, 1, 5) = '%PDF-' THEN 'application/pdf'
		WHEN substr(content, 1, 8) = '\x89504e470d0a1a0a' THEN 'image/png'
		WHEN substr(content, 1, 3) = '\xffd8ff' THEN 'image/jpeg'
		WHEN substr(content, 1, 6) IN ('GIF87a', 'GIF89a') THEN 'image/gif'
		WHEN substr(content, 1, 4) = 'RIFF' AND substr(content, 9, 4) = 'WEBP' THEN 'image/webp'
		WHEN substr(content, 1, 4) IN ('\x49492a00', '\x4d4d002a') THEN 'image/tiff'
		WHEN substr(content, 1, 4) IN ('\x504b0304', '\x504b0506') THEN 'application/zip'
		WHEN substr(content, 1, 3) = '\x1f8b08' THEN 'application/gzip'
		WHEN substr(content, 1, 8) = '\xd0cf11e0a1b11ae1' THEN 'application/x-ole-storage'
		WHEN substr(content, 1, 15) = 'BEGIN:VCALENDAR' THEN 'text/calendar'
	END;
END
$$;
COMMENT ON FUNCTION sales_crm.media_type_of(bytea) IS
	'The media type that the first bytes of a content tell (PDF, PNG, JPEG, GIF, WebP, TIFF, ZIP, gzip, OLE, iCalendar), or NULL';

CREATE FUNCTION sales_crm.media_type_fits(media_type text, content bytea)
RETURNS boolean LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	promised CONSTANT text := CASE
		WHEN media_type IN ('application/pdf', 'image/png', 'image/jpeg', 'image/gif', 'image/webp', 'image/tiff', 'application/zip', 'application/gzip')
			THEN media_type
		WHEN media_type ~ '^application/vnd\.(openxmlformats-officedocument|oasis\.opendocument)\.' THEN 'application/zip'
		WHEN media_type IN ('application/msword', 'application/vnd.ms-excel', 'application/vnd.ms-powerpoint') THEN 'application/x-ole-storage' END;
BEGIN
	RETURN promised IS NULL OR promised = coalesce(sales_crm.media_type_of(content), '');
END
$$;
COMMENT ON FUNCTION sales_crm.media_type_fits(text, bytea) IS
	'Whether the first bytes of a content are what its media type promises; true for types that promise nothing';

CREATE FUNCTION sales_crm.attachment_guard()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	allowed bigint;
BEGIN
	IF TG_OP = 'UPDATE' THEN
		IF NEW.content IS NOT NULL OR (NEW.sha256, NEW.size, NEW.media_type) IS DISTINCT FROM (OLD.sha256, OLD.size, OLD.media_type) THEN
			RAISE EXCEPTION 'content of an attachment cannot be changed'
				USING ERRCODE = 'restrict_violation', COLUMN = 'content',
					DETAIL = format('It is "%s".', OLD.file_name),
					HINT = 'DELETE it and INSERT the new file.';
		END IF;
		RETURN NEW;
	END IF;
	IF NEW.content IS NULL THEN
		RAISE EXCEPTION 'attachment has no content'
			USING ERRCODE = 'not_null_violation', SCHEMA = 'sales_crm', TABLE = 'attachment', COLUMN = 'content',
				HINT = 'Give the bytes of the file in content.';
	END IF;
	SELECT c.attachment_max_bytes INTO allowed FROM sales_crm.company c;
	NEW.size := octet_length(NEW.content);
	-- The limit is for what people hand in. No signature fails on its document, for which it waits here.
	IF NEW.size > allowed AND NOT (NEW.media_type = 'text/html' AND EXISTS (
		SELECT FROM sales_crm.signature s JOIN sales_crm.quote q USING (quote_id) WHERE q.opportunity_id = NEW.opportunity_id AND s.attachment_id IS NULL)) THEN
		RAISE EXCEPTION 'attachment is too large'
			USING ERRCODE = 'program_limit_exceeded', COLUMN = 'content',
				DETAIL = format('It has %s bytes; %s are allowed.', NEW.size, allowed),
				HINT = 'Make it smaller, or raise attachment_max_bytes of sales_crm.company.';
	END IF;
	NEW.media_type := coalesce(lower(NEW.media_type), sales_crm.media_type_of(NEW.content), 'application/octet-stream');
	IF NOT sales_crm.media_type_fits(NEW.media_type, NEW.content) THEN
		RAISE EXCEPTION 'content is not of media type "%"', NEW.media_type
			USING ERRCODE = 'invalid_parameter_value', COLUMN = 'media_type',
				DETAIL = format('Its first bytes are those of %s.', coalesce(sales_crm.media_type_of(NEW.content), 'another type')),
				HINT = 'Leave media_type NULL to have it told by the content.';
	END IF;
	NEW.created_by := coalesce(NEW.created_by, sales_crm.current_member());
	NEW.sha256 := sha256(NEW.content);
	LOOP
		INSERT INTO sales_crm.attachment_content (sha256, content) VALUES (NEW.sha256, NEW.content)
		ON CONFLICT (sha256) DO NOTHING;
		EXIT WHEN FOUND;
		-- Not there any more when somebody else's last attachment with it went meanwhile
		PERFORM FROM sales_crm.attachment_content c WHERE c.sha256 = NEW.sha256 FOR KEY SHARE;
		EXIT WHEN FOUND;
	END LOOP;
	NEW.content := NULL;
	RETURN NEW;
END
$$;
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
