-- The signed document: the quote as it was frozen and read, followed by a page that proves the
-- signature.

CREATE FUNCTION sales_crm.evidence_body()
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $body$
SELECT $html$<style>
.acceptance { display: none !important; }
.evidence { max-width: 50rem; margin: 0 auto; padding: 2.5rem 2rem; border-top: 3px solid {{company.brand_color}}; color: #1d2530; font-size: 0.875rem; line-height: 1.5; overflow-wrap: anywhere; }
.evidence h2 { margin: 0 0 1.25rem; color: {{company.readable_color}}; font-size: 1.5rem; line-height: 1.2; }
.evidence h3 { margin: 1.75rem 0 0.5rem; font-size: 0.9375rem; }
.evidence .seal { margin: 0 0 1.25rem; padding: 1rem; border: 1px solid #dde2e8; border-radius: 6px; background: #f4f6f8; }
.evidence .seal img { display: block; max-width: 100%; max-height: 8rem; margin: 0 0 0.5rem; }
.evidence .seal .typed { margin: 0 0 0.5rem; font-family: "Segoe Script", "Brush Script MT", "URW Chancery L", "Z003", cursive; font-size: 2rem; line-height: 1.3; }
.evidence .seal p { margin: 0; }
.evidence table { width: 100%; border-collapse: collapse; font-size: 0.8125rem; }
.evidence th { padding: 0.3rem 1rem 0.3rem 0; border-bottom: 1px solid #dde2e8; color: #5b6673; font-weight: 400; text-align: left; vertical-align: top; }
.evidence td { padding: 0.3rem 0.75rem 0.3rem 0; border-bottom: 1px solid #dde2e8; vertical-align: top; }
.evidence .facts-of-signature th { width: 11rem; }
.evidence code { font-family: ui-monospace, "Liberation Mono", "DejaVu Sans Mono", monospace; font-size: 0.75rem; }
.evidence .small { margin: 0.375rem 0 0; color: #5b6673; font-size: 0.75rem; }
.evidence .snapshot { display: none; }
@media screen and (max-width: 40rem) { .evidence { padding: 1.5rem 1rem; } .evidence .facts-of-signature th { width: 8rem; } .evidence .chain { display: none; } }
@media print { .evidence { max-width: none; padding: 1.25rem 0 0; break-before: page; } .evidence tr, .evidence .seal { break-inside: avoid; } }
</style>
<section class="evidence">
<h2>{{words.evidence}}</h2>
<div class="seal">
	{{#signature.image}}<img src="{{signature.image}}" alt="{{words.signature}}: {{signature.signer_name}}">{{/signature.image}}
	{{#signature.typed}}<p class="typed">{{signature.signer_name}}</p>{{/signature.typed}}
	<p><strong>{{signature.signer_name}}</strong>{{#signature.signed_at}} · {{signature.signed_at}}{{/signature.signed_at}}</p>
	<p>{{#signature.on_paper}}{{words.signed_on_paper}}{{/signature.on_paper}}{{^signature.on_paper}}{{words.signed}}{{/signature.on_paper}}</p>
</div>
<table class="facts-of-signature">
	<tr><th scope="row">{{words.quote}}</th><td>{{number}}{{#version}} · {{words.version}} {{version}}{{/version}}{{#title}} · {{title}}{{/title}}</td></tr>
	<tr><th scope="row">{{words.total}}</th><td>{{gross}}</td></tr>
	<tr><th scope="row">{{words.signed_by}}</th><td>{{signature.signer_name}}</td></tr>
	{{#signature.signer_email}}<tr><th scope="row">{{words.email}}</th><td>{{signature.signer_email}}</td></tr>{{/signature.signer_email}}
	<tr><th scope="row">{{words.signed_at}}</th><td>{{signature.signed_at}}</td></tr>
	{{#signature.typed}}<tr><th scope="row">{{words.signature}}</th><td>{{words.typed}}</td></tr>{{/signature.typed}}
	{{#signature.ip}}<tr><th scope="row">{{words.address}}</th><td>{{signature.ip}}</td></tr>{{/signature.ip}}
	{{#signature.user_agent}}<tr><th scope="row">{{words.device}}</th><td>{{signature.user_agent}}</td></tr>{{/signature.user_agent}}
	{{#signature.consent_text}}<tr><th scope="row">{{words.agreement}}</th><td>{{signature.consent_text}}</td></tr>{{/signature.consent_text}}
</table>
<h3>{{words.fingerprint}}</h3>
<code>{{signature.snapshot_sha256}}</code>
<p class="small">{{words.fingerprint_note}}</p>
<h3>{{words.history}}</h3>
<table>
	<thead><tr><th scope="col">{{words.time}}</th><th scope="col">{{words.event}}</th><th scope="col">{{words.who}}</th><th scope="col" class="chain">{{words.chain}}</th></tr></thead>
	<tbody>
	{{#events}}
	<tr><td>{{at}}</td><td>{{event}}</td><td>{{who}}</td><td class="chain"><code>{{fingerprint}}</code></td></tr>
	{{/events}}
	</tbody>
</table>
<pre class="snapshot" id="snapshot">{{snapshot_text}}</pre>
</section>
$html$
$body$;
COMMENT ON FUNCTION sales_crm.evidence_body() IS
	'The Mustache body of the evidence that signed_document() adds to a quote';

CREATE FUNCTION sales_crm.format_moment(at timestamptz, time_zone text, locale text)
RETURNS text LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_format_moment';
COMMENT ON FUNCTION sales_crm.format_moment(timestamptz, text, text) IS
	'A moment in a time zone, to the second: the day in words and the time';

CREATE FUNCTION sales_crm.add_evidence(html text, snapshot jsonb, snapshot_text text, signature jsonb, events jsonb)
RETURNS text LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_add_evidence';
COMMENT ON FUNCTION sales_crm.add_evidence(text, jsonb, text, jsonb, jsonb) IS
	'The HTML of a quote with the evidence of its signature before its end: signature has signer_name, signer_email, image (a data URI), typed, on_paper, consent_text, ip, user_agent, signed_at, snapshot_sha256; events have kind, at, who, sha256; snapshot_text is what the hash is of';
