-- Promise: render_template() renders Mustache: here the topics of its specification that are not in
-- test/t/030_mustache.pl (inverted sections, partials) and what it leaves open; errors say where;
-- depth, output and time are bounded.
BEGIN;
SELECT plan(88);

CREATE FUNCTION pg_temp.r(template text, data jsonb DEFAULT '{}', partials jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS
	'SELECT sales_crm.render_template($1, $2, $3)';

-- Inverted sections
SELECT is(pg_temp.r('"{{^b}}shown{{/b}}"', '{"b": false}'), '"shown"', 'inverted: false');
SELECT is(pg_temp.r('"{{^b}}shown{{/b}}"', '{"b": true}'), '""', 'inverted: true');
SELECT is(pg_temp.r('"{{^b}}shown{{/b}}"', '{"b": null}'), '"shown"', 'inverted: null');
SELECT is(pg_temp.r('"{{^b}}shown{{/b}}"'), '"shown"', 'inverted: missing');
SELECT is(pg_temp.r('"{{^o}}{{o.name}}{{/o}}"', '{"o": {"name": "Joe"}}'), '""', 'inverted: an object');
SELECT is(pg_temp.r('"{{^o}}shown{{/o}}"', '{"o": {}}'), '""', 'inverted: an empty object');
SELECT is(pg_temp.r('"{{^l}}{{n}}{{/l}}"', '{"l": [{"n": 1}, {"n": 2}]}'), '""', 'inverted: a list');
SELECT is(pg_temp.r('"{{^l}}none{{/l}}"', '{"l": []}'), '"none"', 'inverted: an empty list');
SELECT is(pg_temp.r('"{{^t}}shown{{/t}}"', '{"t": ""}'), '""', 'inverted: an empty text is there');
SELECT is(pg_temp.r('"{{^n}}shown{{/n}}"', '{"n": 0}'), '""', 'inverted: so is zero');
SELECT is(pg_temp.r('{{^b}}{{^b}}twice{{/b}}{{/b}} {{^c}}c{{/c}}', '{"b": false, "c": false}'), 'twice c', 'inverted: nested');
SELECT is(pg_temp.r('| A {{^b}}B {{^b}}C{{/b}} D{{/b}} E |', '{"b": true}'), '| A  E |', 'inverted: nested and not shown');
SELECT is(pg_temp.r('{{^a.b.c}}not here{{/a.b.c}}', '{"a": {"b": {"c": true}}}'), '', 'inverted: dotted and true');
SELECT is(pg_temp.r('{{^a.b.c}}not here{{/a.b.c}}', '{"a": {}}'), 'not here', 'inverted: dotted and broken');
SELECT is(pg_temp.r(E'| This Is\n{{^boolean}}\n|\n{{/boolean}}\n| A Line\n', '{"boolean": false}'), E'| This Is\n|\n| A Line\n', 'inverted: lines of their own vanish');
SELECT is(pg_temp.r(E'| This Is\n  {{^boolean}}\n|\n  {{/boolean}}\n| A Line\n', '{"boolean": false}'), E'| This Is\n|\n| A Line\n', 'inverted: indented ones, too');
SELECT is(pg_temp.r(E'|\r\n{{^b}}\r\n{{/b}}\r\n|', '{"b": false}'), E'|\r\n|', 'inverted: with CRLF');
SELECT is(pg_temp.r(E'  {{^b}}\n^{{/b}}\n/', '{"b": false}'), E'^\n/', 'inverted: without a line before');
SELECT is(pg_temp.r(E'^{{^b}}\n/\n  {{/b}}', '{"b": false}'), E'^\n/\n', 'inverted: without a line after');
SELECT is(pg_temp.r(' | {{^b}} {{! x }}' || E'\n  {{/b}} | \n', '{"b": false}'), E' |  \n   | \n', 'inverted: white space within is kept');
SELECT is(pg_temp.r(' {{^b}}YES{{/b}}' || E'\n {{^b}}GOOD{{/b}}\n', '{"b": false}'), E' YES\n GOOD\n', 'inverted: in a line with text, nothing is taken');
SELECT is(pg_temp.r('|{{^ b }}={{/ b }}|', '{"b": false}'), '|=|', 'inverted: padding in the tag');

-- Partials
SELECT is(pg_temp.r('"{{>text}}"', '{}', '{"text": "from partial"}'), '"from partial"', 'partial');
SELECT is(pg_temp.r('"{{>text}}"'), '""', 'partial: missing');
SELECT is(pg_temp.r('"{{>p}}"', '{"text": "content"}', '{"p": "*{{text}}*"}'), '"*content*"', 'partial: sees the data');
SELECT is(pg_temp.r('{{>node}}', '{"content": "X", "nodes": [{"content": "Y", "nodes": []}]}', '{"node": "{{content}}<{{#nodes}}{{>node}}{{/nodes}}>"}'),
	'X<Y<>>', 'partial: recursive');
SELECT is(pg_temp.r('{{>outer}}', '{"a": "hello", "b": "world"}', '{"outer": "*{{a}} {{>inner}}*", "inner": "{{b}}!"}'), '*hello world!*', 'partial: nested');
SELECT is(pg_temp.r('| {{>p}} |', '{}', E'{"p": "\\t|\\t"}'), E'| \t|\t |', 'partial: white space around is kept');
SELECT is(pg_temp.r(E'  {{data}}  {{> p}}\n', '{"data": "|"}', E'{"p": ">\\n>"}'), E'  |  >\n>\n', 'partial: in a line with text, its lines are not indented');
SELECT is(pg_temp.r(E'|\r\n{{>p}}\r\n|', '{}', '{"p": ">"}'), E'|\r\n>|', 'partial: standalone with CRLF');
SELECT is(pg_temp.r(E'  {{>p}}\n>', '{}', E'{"p": ">\\n>"}'), E'  >\n  >>', 'partial: standalone without a line before');
SELECT is(pg_temp.r(E'>\n  {{>p}}', '{}', E'{"p": ">\\n>"}'), E'>\n  >\n  >', 'partial: standalone without a line after');
SELECT is(pg_temp.r(E'\\\n {{>p}}\n/\n', '{"content": "<\n->"}', E'{"p": "|\\n{{{content}}}\\n|\\n"}'), E'\\\n |\n <\n->\n |\n/\n',
	'partial: its lines are indented, not those of values');
SELECT is(pg_temp.r(E' {{>p}}\n', '{"c": [1, 2]}', E'{"p": "{{#c}}\\nx\\n{{/c}}\\n  {{>q}}\\n", "q": "a\\nb\\n"}'), E' x\n x\n   a\n   b\n',
	'partial: indents add up, lines of their own vanish');
SELECT is(pg_temp.r('|{{> p }}|', '{"boolean": true}', '{"p": "[]"}'), '|[]|', 'partial: padding in the tag');
SELECT is(pg_temp.r('{{=<% %>=}}<%>p%>|<%a%>', '{"a": 1}', '{"p": "{{a}}<%a%>"}'), '1<%a%>|1', 'partial: delimiters are not inherited');
SELECT is(pg_temp.r('{{>p}}{{a}}', '{"a": 1}', '{"p": "{{=<% %>=}}<%a%>"}'), '11', 'partial: nor handed back');
SELECT is(pg_temp.r('{{>p}}', '{}', '{"p": {"a": 1}}'), '', 'partial: what is no text is none');
SELECT is(pg_temp.r(E' {{>p}}\n|', '{}', '{"p": ""}'), '|', 'partial: an empty one leaves no indent');

-- Values
SELECT is(pg_temp.r('{{a}} {{b}} {{c}} {{d}}', '{"a": 1.50, "b": true, "c": false, "d": null}'), '1.50 true false ', 'scalars');
SELECT is(pg_temp.r('{{a}}{{{a}}}{{&a}}', '{"a": "<a href=\"x\">''&"}'),
	'&lt;a href=&quot;x&quot;&gt;&#39;&amp;<a href="x">''&<a href="x">''&', 'escaped unless told otherwise');
SELECT is(pg_temp.r('{{a}}', '{"a": "&amp;"}'), '&amp;amp;', 'escaped once, whatever it is');
SELECT is(pg_temp.r('{{.}}', '"text"'), 'text', 'data may be a text');
SELECT is(pg_temp.r('{{#.}}{{.}};{{/.}}', '[1, "b"]'), '1;b;', 'data may be a list');
SELECT is(pg_temp.r('{{#l}}{{#.}}{{.}}{{/.}}|{{/l}}', '{"l": [[1, 2], [], [3]]}'), '12||3|', 'lists in lists');
SELECT is(pg_temp.r('{{#a}}{{x}}{{y}}{{/a}}', '{"a": {"x": 1}, "x": 2, "y": 3}'), '13', 'the innermost value wins');
SELECT is(pg_temp.r('{{#a}}{{b.c}}{{/a}}', '{"a": {"b": {}}, "b": {"c": 1}}'), '', 'a dotted name goes one way');
SELECT is(pg_temp.r('{{#a}}{{x}}{{/a}}', '{"a": {"x": null}, "x": 2}'), '', 'null is found');
SELECT is(pg_temp.r('{{a..b}}{{.a}}{{a.}}', '{"a": {"b": 1}}'), '', 'names with empty parts are nobody''s');
SELECT is(pg_temp.r('{{a}}', jsonb_build_object('a', repeat('é', 100000))), repeat('é', 100000), 'a long value');
SELECT is(pg_temp.r(string_agg('{{k' || i || '}}', ''), jsonb_object_agg('k' || i, i)), string_agg(i::text, ''), 'many names')
FROM generate_series(1, 2000) i;
SELECT is(pg_temp.r('{{#a}}' || repeat('x', 10) || '{{/a}}', jsonb_build_object('a', (SELECT jsonb_agg(i) FROM generate_series(1, 1000) i))),
	repeat('x', 10000), 'a long list');
SELECT is(pg_temp.r(''), '', 'nothing from nothing');
SELECT is(pg_temp.r('{a} } {{!}} {', '{"a": 1}'), '{a} }  {', 'single braces are text');
SELECT is(pg_temp.r('{{ #a }}x{{ /a }}{{ ! c }}{{ {b}}}', '{"a": true, "b": "<"}'), 'x<', 'space before the sign');
SELECT is(pg_temp.r('{{=| |=}}|#a|x|/a||{b}|', '{"a": true, "b": "<"}'), 'x<', 'delimiters of one character');
SELECT is(sales_crm.render_template(NULL, '{}'), NULL, 'no template, no output');

-- Errors
CREATE FUNCTION pg_temp.problem(template text, data jsonb DEFAULT '{}', partials jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	said text;
	detail text;
BEGIN
	RETURN sales_crm.render_template($1, $2, $3);
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS said = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
	RETURN concat_ws(' | ', SQLSTATE, said, detail);
END $$;
SELECT is(pg_temp.problem(E'one\n  é {{name'), 'SC110 | template is not valid: line 2, column 5 | The tag does not end.', 'a tag that does not end');
SELECT is(pg_temp.problem('{{{a}} {{b}}'), 'SC110 | template is not valid: line 1, column 1 | The tag does not end.', 'nor with three braces');
SELECT is(pg_temp.problem('{{!'), 'SC110 | template is not valid: line 1, column 1 | The tag does not end.', 'nor a comment');
SELECT is(pg_temp.problem('a{{}}'), 'SC110 | template is not valid: line 1, column 2 | The tag needs a name without white space.', 'a tag without a name');
SELECT is(pg_temp.problem('{{#}}{{/}}'), 'SC110 | template is not valid: line 1, column 1 | The tag needs a name without white space.', 'a section without a name');
SELECT is(pg_temp.problem('{{a b}}'), 'SC110 | template is not valid: line 1, column 1, tag "a b" | The tag needs a name without white space.', 'white space in a name');
SELECT is(pg_temp.problem('{{=<%=}}'), 'SC110 | template is not valid: line 1, column 1, tag "<%" | The tag needs two delimiters without white space and =.', 'one delimiter');
SELECT is(pg_temp.problem('{{=a b c=}}'), 'SC110 | template is not valid: line 1, column 1, tag "a b c" | The tag needs two delimiters without white space and =.', 'three delimiters');
SELECT is(pg_temp.problem('{{= == =}}'), 'SC110 | template is not valid: line 1, column 1, tag "==" | The tag needs two delimiters without white space and =.', 'delimiters of =');
SELECT is(pg_temp.problem(E'{{#a}}\n{{#b}}\n{{/b}}'), 'SC110 | template is not valid: line 1, column 1, tag "a" | The section is not closed.', 'an open section');
SELECT is(pg_temp.problem(E'{{#a}}\n {{#b}}{{/a}}{{/b}}'), 'SC110 | template is not valid: line 2, column 8, tag "a" | The tag closes no section that is open, or not the innermost.', 'crossing sections');
SELECT is(pg_temp.problem('{{/a}}'), 'SC110 | template is not valid: line 1, column 1, tag "a" | The tag closes no section that is open, or not the innermost.', 'a section that was not opened');
SELECT is(pg_temp.problem(E'\n{{o}}', '{"o": {"a": 1}}'), 'SC110 | template is not valid: line 2, column 1, tag "o" | The value is a list or an object.', 'an object as text');
SELECT is(pg_temp.problem('{{&l}}', '{"l": []}'), 'SC110 | template is not valid: line 1, column 1, tag "l" | The value is a list or an object.', 'a list as text');
SELECT is(pg_temp.problem(E'\n   {{> outer}}', '{}', E'{"outer": "x\\n  {{> inner}}\\n", "inner": "ok\\n é{{#x}}"}'),
	'SC110 | template is not valid: partial "inner", line 2, column 3, tag "x" | The section is not closed.', 'in a partial: at its own line and column');
SELECT is(pg_temp.problem('{{' || repeat('é', 100) || ' b}}'),
	'SC110 | template is not valid: line 1, column 1, tag "' || repeat('é', 31) || '" | The tag needs a name without white space.', 'long names are cut between characters');
SELECT is(sales_crm.check_template('{{#a}}{{> p}}{{/a}}'), true, 'check_template(): valid');
SELECT throws_ok($$SELECT sales_crm.check_template('{{#a}}')$$, 'SC110', 'template is not valid: line 1, column 1, tag "a"', 'check_template(): not valid');

-- Limits
SELECT is(pg_temp.r(repeat('{{#a}}', 100) || 'x' || repeat('{{/a}}', 100), '{"a": true}'), 'x', 'a hundred sections deep');
SELECT is(pg_temp.problem(repeat('{{#a}}', 101) || repeat('{{/a}}', 101), '{"a": true}'),
	'54000 | template goes too deep: line 1, column 601, tag "a" | Sections and partials go at most 100 deep.', 'and not one more');
SELECT is(pg_temp.problem('{{> p}}', '{}', '{"p": "{{> p}}"}'),
	'54000 | template goes too deep: partial "p", line 1, column 1, tag "p" | Sections and partials go at most 100 deep.', 'a partial in itself');
SELECT is(pg_temp.problem(E' {{> p}}', '{}', E'{"p": "x\\n {{> p}}\\n"}'),
	'54000 | template goes too deep: partial "p", line 2, column 2, tag "p" | Sections and partials go at most 100 deep.', 'an indented partial in itself');
CREATE TEMP TABLE long AS SELECT jsonb_build_object('l', jsonb_agg(i), 't', repeat('&', 100000)) AS data FROM generate_series(1, 1000) i;
SELECT is(pg_temp.problem('{{#l}}{{t}}{{/l}}', data), '54000 | output of the template is too large: line 1, column 7, tag "t" | It has at most 16777216 bytes.', 'a large output') FROM long;
SELECT is(pg_temp.problem('{{#l}}{{#l}}{{#l}}{{/l}}{{/l}}{{/l}}', data), '54000 | template takes too long: line 1, column 19, tag "l" | It has more than 2000000 tags and texts to put out.', 'a long loop') FROM long;
SELECT is(pg_temp.problem('{{#l}}{{> p}}{{/l}}', data, jsonb_build_object('p', repeat('{{!}}', 20000))),
	'54000 | template is too large: line 1, column 7, tag "p" | A template, and what it reads of partials, has at most 16777216 bytes.', 'a loop over a large partial') FROM long;
SELECT is(pg_temp.problem(repeat(' ', 100000) || '{{> p}}', '{}', jsonb_build_object('p', repeat(E'\n', 1000))),
	'54000 | template is too large: line 1, column 100001, tag "p" | A template, and what it reads of partials, has at most 16777216 bytes.', 'a large indent');
SELECT is(pg_temp.problem(repeat(' ', 16777217)), '54000 | template is too large: line 1, column 1 | A template, and what it reads of partials, has at most 16777216 bytes.', 'a large template');

-- The picture of a signature
CREATE FUNCTION pg_temp.crc(content bytea) RETURNS bytea LANGUAGE plpgsql AS $$
-- One bit at a time, as annex D of the specification describes it
DECLARE
	crc bigint := 4294967295;
BEGIN
	FOR i IN 0 .. length(content) - 1 LOOP
		crc := crc # get_byte(content, i);
		FOR bit IN 1 .. 8 LOOP
			crc := CASE WHEN crc & 1 = 1 THEN (crc >> 1) # 3988292384 ELSE crc >> 1 END;
		END LOOP;
	END LOOP;
	RETURN decode(lpad(to_hex(crc # 4294967295), 8, '0'), 'hex');
END $$;
CREATE FUNCTION pg_temp.chunk(type text, data bytea DEFAULT '') RETURNS bytea LANGUAGE sql AS
	$$SELECT int4send(length(data)) || convert_to(type, 'UTF8') || data || pg_temp.crc(convert_to(type, 'UTF8') || data)$$;
CREATE FUNCTION pg_temp.header(width int, height int, rest bytea DEFAULT '\x0806000000') RETURNS bytea LANGUAGE sql AS
	$$SELECT '\x89504e470d0a1a0a' || pg_temp.chunk('IHDR', int4send(width) || int4send(height) || rest)$$;
CREATE FUNCTION pg_temp.png(VARIADIC parts bytea[]) RETURNS bytea LANGUAGE sql AS $$SELECT string_agg(p, '' ORDER BY n) FROM unnest(parts) WITH ORDINALITY u (p, n)$$;
CREATE TEMP TABLE part AS SELECT pg_temp.chunk('IDAT', '\x789c6300010000050001') AS pixels, pg_temp.chunk('IEND') AS finish;
CREATE FUNCTION pg_temp.refused(image bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
BEGIN
	RETURN sales_crm.check_signature_png(image)::text;
EXCEPTION WHEN invalid_parameter_value THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN detail;
END $$;
SELECT is(pg_temp.refused(decode('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII=', 'base64')), '(1,1)', 'a PNG as a program made it');
SELECT is(pg_temp.refused(pg_temp.png(pg_temp.header(600, 200), pixels, pixels, finish)), '(600,200)', 'one made here') FROM part;
SELECT is(pg_temp.refused(pg_temp.png(pg_temp.header(9, 9, '\x0203000000'), pg_temp.chunk('tEXt', 'a'), pg_temp.chunk('PLTE', '\x000000ffffff'), pixels, pg_temp.chunk('tIME', '\x00000000000000'), finish)),
	'(9,9)', 'with a palette and chunks that may be passed over') FROM part;
SELECT results_eq($$
	SELECT name, pg_temp.refused(image) FROM part, LATERAL (VALUES
		('nothing', ''::bytea),
		('text', 'hello'),
		('jpeg', '\xffd8ffe000104a46494600010100000100010000ffd9'),
		('signature only', '\x89504e470d0a1a0a'),
		('cut in the header', substr(pg_temp.header(9, 9), 1, 20)),
		('without an end', pg_temp.png(pg_temp.header(9, 9), pixels)),
		('length beyond the end', pg_temp.png(pg_temp.header(9, 9), '\x7fffffff49444154', finish)),
		('a bit turned', set_bit(pg_temp.png(pg_temp.header(9, 9), pixels, finish), 350, 1 - get_bit(pixels, 350 - 33 * 8))),
		('other first chunk', pg_temp.png('\x89504e470d0a1a0a', pixels, finish)),
		('two headers', pg_temp.png(pg_temp.header(9, 9), substr(pg_temp.header(9, 9), 9), pixels, finish)),
		('no pixels', pg_temp.png(pg_temp.header(9, 9), finish)),
		('pixels in two places', pg_temp.png(pg_temp.header(9, 9), pixels, pg_temp.chunk('tEXt'), pixels, finish)),
		('palette missing', pg_temp.png(pg_temp.header(9, 9, '\x0803000000'), pixels, finish)),
		('palette of grey', pg_temp.png(pg_temp.header(9, 9, '\x0800000000'), pg_temp.chunk('PLTE', '\x000000'), pixels, finish)),
		('palette too long', pg_temp.png(pg_temp.header(9, 9, '\x0103000000'), pg_temp.chunk('PLTE', '\x000000000000000000'), pixels, finish)),
		('palette late', pg_temp.png(pg_temp.header(9, 9), pixels, pg_temp.chunk('PLTE', '\x000000'), finish)),
		('unknown critical', pg_temp.png(pg_temp.header(9, 9), pg_temp.chunk('ABCD'), pixels, finish)),
		('type of no letters', pg_temp.png(pg_temp.header(9, 9), pg_temp.chunk('I AT'), pixels, finish)),
		('moving', pg_temp.png(pg_temp.header(9, 9), pg_temp.chunk('acTL', '\x0000000200000000'), pixels, finish)),
		('bit depth', pg_temp.png(pg_temp.header(9, 9, '\x0406000000'), pixels, finish)),
		('colour type', pg_temp.png(pg_temp.header(9, 9, '\x0805000000'), pixels, finish)),
		('filter', pg_temp.png(pg_temp.header(9, 9, '\x0806000100'), pixels, finish)),
		('flat', pg_temp.png(pg_temp.header(9, 0), pixels, finish)),
		('wide', pg_temp.png(pg_temp.header(4001, 9), pixels, finish)),
		('huge', pg_temp.png(pg_temp.header(-1, -1), pixels, finish)),
		('something after it', pg_temp.png(pg_temp.header(9, 9), pixels, finish, '<script>')),
		('an end with content', pg_temp.png(pg_temp.header(9, 9), pixels, pg_temp.chunk('IEND', 'x'))),
		('large', pg_temp.png(pg_temp.header(9, 9), decode(repeat('00', 524288), 'hex')))
	) v (name, image)
$$, $$ VALUES
	('nothing', 'It is empty.'),
	('text', 'It does not begin as a PNG does.'),
	('jpeg', 'It does not begin as a PNG does.'),
	('signature only', 'It ends within its chunk at byte 8.'),
	('cut in the header', 'It ends within its chunk at byte 8.'),
	('without an end', 'It ends within its chunk at byte 55.'),
	('length beyond the end', 'It ends within its chunk at byte 33.'),
	('a bit turned', 'The checksum of its chunk IDAT at byte 33 is wrong.'),
	('other first chunk', 'Its chunk IDAT at byte 8 is unknown, out of place or of a wrong length.'),
	('two headers', 'Its chunk IHDR at byte 33 is unknown, out of place or of a wrong length.'),
	('no pixels', 'Its chunk IEND at byte 33 is unknown, out of place or of a wrong length.'),
	('pixels in two places', 'Its chunk IDAT at byte 67 is unknown, out of place or of a wrong length.'),
	('palette missing', 'Its chunk IDAT at byte 33 is unknown, out of place or of a wrong length.'),
	('palette of grey', 'Its chunk PLTE at byte 33 is unknown, out of place or of a wrong length.'),
	('palette too long', 'Its chunk PLTE at byte 33 is unknown, out of place or of a wrong length.'),
	('palette late', 'Its chunk PLTE at byte 55 is unknown, out of place or of a wrong length.'),
	('unknown critical', 'Its chunk ABCD at byte 33 is unknown, out of place or of a wrong length.'),
	('type of no letters', 'Its chunk  at byte 33 is unknown, out of place or of a wrong length.'),
	('moving', 'It has several pictures.'),
	('bit depth', 'Its header has values that PNG does not know.'),
	('colour type', 'Its header has values that PNG does not know.'),
	('filter', 'Its header has values that PNG does not know.'),
	('flat', 'It has 9 × 0 pixels; at most 4000 × 2000 are accepted.'),
	('wide', 'It has 4001 × 9 pixels; at most 4000 × 2000 are accepted.'),
	('huge', 'It has 4294967295 × 4294967295 pixels; at most 4000 × 2000 are accepted.'),
	('something after it', 'It goes on after its end at byte 67.'),
	('an end with content', 'Its chunk IEND at byte 55 is unknown, out of place or of a wrong length.'),
	('large', 'It has 524321 bytes; at most 524288 are accepted.')
$$, 'what is refused, and why');

SELECT * FROM finish();
ROLLBACK;
