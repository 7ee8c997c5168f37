-- Promise: a file's content is stored once, unchanged and checked, and goes with its last
-- attachment; notes are kept as they were written.
BEGIN;
SELECT plan(28);
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
	('RIFF....WEBPVP8 ', 'image/webp'), ('\x504b030400', 'application/zip'), ('hello', NULL), ('', NULL)) AS v (content, expected);
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
