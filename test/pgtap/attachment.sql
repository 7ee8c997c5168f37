-- Promise: a file's content is stored once, unchanged and checked, and goes with its last
-- attachment; notes are kept as they were written.
BEGIN;
SELECT plan(50);
INSERT INTO sales_crm.member (name, login) VALUES ('Sam', current_user);
INSERT INTO sales_crm.account (name) VALUES ('Acme');
INSERT INTO sales_crm.opportunity (name, account_id) SELECT 'Deal', account_id FROM sales_crm.account;
PREPARE attach(text, text, bytea) AS INSERT INTO sales_crm.attachment (opportunity_id, file_name, media_type, content)
SELECT opportunity_id, $1, $2, $3 FROM sales_crm.opportunity;

EXECUTE attach('offer.pdf', NULL, '%PDF-1.7 one');
SELECT results_eq($$SELECT media_type, size, sha256, content, created_by IS NOT NULL FROM sales_crm.attachment$$,
	$$VALUES ('application/pdf', 12::bigint, sha256('%PDF-1.7 one'), NULL::bytea, true)$$, 'type, size and checksum fill in themselves');
EXECUTE attach('copy.pdf', 'application/PDF', '%PDF-1.7 one');
SELECT is(count(*), 1::bigint, 'the same content is stored once') FROM sales_crm.attachment_content;
SELECT results_eq($$SELECT d.file_name, d.media_type, d.size, d.content FROM sales_crm.attachment a, sales_crm.download_attachment(a.attachment_id) d WHERE a.file_name = 'copy.pdf'$$,
	$$VALUES ('copy.pdf', 'application/pdf', 12::bigint, '%PDF-1.7 one'::bytea)$$, 'download_attachment() gives it back');
DELETE FROM sales_crm.attachment WHERE file_name = 'offer.pdf';
SELECT is(count(*), 1::bigint, 'and kept for the other one') FROM sales_crm.attachment_content;
DELETE FROM sales_crm.attachment;
SELECT is(count(*), 0::bigint, 'until that goes, too') FROM sales_crm.attachment_content;

SELECT is(sales_crm.media_type_of(content), expected, coalesce(expected, 'no magic')) FROM (VALUES
	('\x89504e470d0a1a0a00'::bytea, 'image/png'), ('\xffd8ffe0', 'image/jpeg'), ('GIF89a', 'image/gif'),
	('RIFF....WEBPVP8 ', 'image/webp'), ('\x504b030400', 'application/zip'), ('hello', NULL), ('', NULL),
	('GIF87a', 'image/gif'), ('\x49492a00', 'image/tiff'), ('\x4d4d002a', 'image/tiff'), ('\x504b0506', 'application/zip'), ('\x1f8b0800', 'application/gzip'),
	('\xd0cf11e0a1b11ae1', 'application/x-ole-storage'), ('BEGIN:VCALENDAR', 'text/calendar'), ('RIFF....WAVE', NULL), ('RIFF....WEB', NULL), ('%PDF', NULL)) AS v (content, expected);
SELECT is(sales_crm.media_type_fits(media_type, content), expected, media_type || CASE WHEN expected THEN ' fits' ELSE ' does not' END) FROM (VALUES
	('application/msword', '\xd0cf11e0a1b11ae1'::bytea, true), ('application/vnd.ms-excel', '\x504b0304', false),
	('application/vnd.oasis.opendocument.text', '\x504b0304', true), ('application/vnd.oasis.opendocument', 'x', true), ('text/calendar', 'x', true)) AS v (media_type, content, expected);
SELECT throws_ok($$EXECUTE attach('x.png', 'image/png', '%PDF-1.7')$$, '22023', 'content is not of media type "image/png"', 'a PDF is no PNG');
SELECT throws_ok($$EXECUTE attach('x.pdf', 'application/pdf', '<html>')$$, '22023', NULL, 'HTML is no PDF');
SELECT throws_ok($$EXECUTE attach('x.docx', 'application/vnd.openxmlformats-officedocument.wordprocessingml.document', 'MZ')$$, '22023', NULL, 'a program is no document');
SELECT lives_ok($$EXECUTE attach('x.docx', 'application/vnd.openxmlformats-officedocument.wordprocessingml.document', '\x504b0304')$$, 'a document is a ZIP');
SELECT lives_ok($$EXECUTE attach('x.csv', 'text/csv', 'a,b')$$, 'types without magic are believed');
UPDATE sales_crm.company SET attachment_max_bytes = 10;
SELECT throws_ok($$EXECUTE attach('big', NULL, '12345678901')$$, '54000', 'attachment is too large', 'the limit is kept');
SELECT throws_ok($$EXECUTE attach('../x', NULL, 'x')$$, '23514', NULL, 'a file name is no path');
SELECT throws_ok($$EXECUTE attach('x', NULL, NULL)$$, '23502', NULL, 'no content');
SELECT throws_ok($$UPDATE sales_crm.attachment SET content = 'x'$$, '23001', NULL, 'content does not change');
SELECT throws_ok(format('UPDATE sales_crm.attachment SET %s', change), '23001', 'content of an attachment cannot be changed', change)
FROM unnest(array['sha256 = sha256(''x'')', 'size = size + 1', 'media_type = ''text/plain''']) change;
SELECT lives_ok($$UPDATE sales_crm.attachment SET file_name = 'renamed ' || file_name, media_type = media_type$$, 'its name does');
-- The checksum is asked for again with the same bytes and with others: a remembered one is of these bytes alone
SELECT throws_ok(format('INSERT INTO sales_crm.attachment_content (sha256, content) VALUES (%L, %L)', sha256, content), '23514', NULL, 'content has its checksum')
FROM (VALUES (sha256('other'), 'a,b'::bytea), (sha256('a,b'), 'a,c'), (sha256('a,c'), 'a,')) AS v (sha256, content);
SELECT throws_ok($$DELETE FROM sales_crm.attachment_content$$, '23503', NULL, 'nor go while it is attached');
SELECT throws_ok($$SELECT sales_crm.download_attachment(0)$$, 'P0002', NULL, 'no such attachment');
SELECT is_empty('SELECT FROM sales_crm.verify_attachments()', 'verify_attachments() finds nothing');
DELETE FROM sales_crm.opportunity;
SELECT is(count(*), 0::bigint, 'deleting the opportunity leaves no content behind') FROM sales_crm.attachment_content;

INSERT INTO sales_crm.note (account_id, body, format) SELECT account_id, E'# Title\n* one', 'markdown' FROM sales_crm.account;
SELECT is(body, E'# Title\n* one', 'Markdown is kept as text') FROM sales_crm.note WHERE created_by IS NOT NULL;
SELECT throws_ok($$INSERT INTO sales_crm.note (body) VALUES ('x')$$, '23514', NULL, 'a note is about something');
SELECT throws_ok($$INSERT INTO sales_crm.note (account_id, body) SELECT account_id, ' ' FROM sales_crm.account$$, '23514', NULL, 'and says something');

SELECT * FROM finish();
ROLLBACK;
